#include "scratch.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "forge_rt/core/memory.h"

namespace forge_rt {
namespace {

struct Arena {
  std::vector<std::shared_ptr<Storage>> blocks;
  std::size_t block = 0, offset = 0;
};
thread_local Arena arena;
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;

}  // namespace

Scratch::Scratch() : block_(arena.block), offset_(arena.offset) {}

Scratch::~Scratch() {
  arena.block = block_;
  arena.offset = offset_;
}

void* Scratch::take_bytes(std::size_t bytes) {
  bytes = (bytes + 63) / 64 * 64 + 64;
  while (arena.block < arena.blocks.size() && arena.offset + bytes > arena.blocks[arena.block]->bytes()) {
    ++arena.block;
    arena.offset = 0;
  }
  if (arena.block == arena.blocks.size()) {
    arena.blocks.push_back(Storage::allocate({}, std::max(bytes, kBlockBytes), "scratch arena"));
    arena.offset = 0;
  }
  void* out = static_cast<char*>(arena.blocks[arena.block]->data()) + arena.offset;
  arena.offset += bytes;
  return out;
}

}  // namespace forge_rt
