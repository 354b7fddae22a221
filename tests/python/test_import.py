"""What `import forge_rt` costs: NumPy, and nothing else that is heavy."""

from __future__ import annotations

import json
import subprocess
import sys

#: Third-party packages that must load only when something needs them.
HEAVY = ("cv2", "torch", "yaml", "typer", "rich", "onnxruntime", "onnx", "scipy", "PIL", "safetensors", "cupy", "ray")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after `statement`, less those it starts with."""
    code = f"import json, sys; old = set(sys.modules); {statement}; print(json.dumps(sorted(set(sys.modules) - old)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in json.loads(answer.splitlines()[-1])}


def test_import_needs_numpy_only() -> None:
    modules = loaded_by("import forge_rt")
    assert "numpy" in modules
    assert not modules.intersection(HEAVY)
    third_party = modules - set(sys.stdlib_module_names) - {"forge_rt", "numpy"}
    # an editable install answers imports through its own finder
    assert {name for name in third_party if "skbc" not in name and "scikit_build" not in name} <= {"packaging"}


def test_names_that_load_late_are_there() -> None:
    import forge_rt

    for name in forge_rt.__all__:
        assert hasattr(forge_rt, name), name
    assert not hasattr(forge_rt, "no_such_name")


def test_doctor_does_not_import_the_backends_it_reports() -> None:
    assert not loaded_by("from forge_rt import diagnostics; diagnostics.report()").intersection(
        {"torch", "onnxruntime", "onnx", "cupy"}
    )
