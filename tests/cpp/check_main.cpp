#include "check.h"

int main(int argc, char** argv) { return forge_rt::testing::run(argc, argv); }
