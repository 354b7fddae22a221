"""ForgeHead: our parametric head in FLAME's array format, built from a signed-distance sculpture.

    python -m forge_rt.export.forgehead.build --out forgehead.forge

Working unit inside the builder: 1 = 0.1 m, y = 0 at the pupils (see `tables/sculpture.json`).
Only `write.py` converts to the head frame in metres.
"""
