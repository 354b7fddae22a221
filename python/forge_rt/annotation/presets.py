PRESETS: dict = {}


class Draw: ...


class Preset: ...
