"""`forge-rt doctor` and the command line's manners."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import forge_rt as fr
import pytest
from forge_rt import diagnostics
from forge_rt.cli import main as cli

LAYERS = ("core", "ops", "models", "production", "surfaces")
EXTRAS = {"cpu", "gpu", "export", "shape", "dali", "tensorrt", "ray", "viewer", "test"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `forge-rt ...`, in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


# ---- the report ----


def test_report_has_every_field() -> None:
    report = diagnostics.report()
    assert report.versions["forge_rt"] == fr.__version__
    assert {"python", "numpy", "opencv"} <= set(report.versions)
    assert report.cpu
    assert report.threads == fr.num_threads()
    assert report.isa.path == fr.isa()
    assert report.isa.reason.startswith(report.isa.path)
    assert bool(report.cuda.devices) != bool(report.cuda.reason)
    assert bool(report.onnx_runtime.version) != bool(report.onnx_runtime.reason)
    assert diagnostics.COMPILED_IN in report.onnx_runtime.note
    assert {extra.name for extra in report.extras} == EXTRAS
    assert report.op_paths["cpu"] == fr.op_paths()
    assert all(f.what and f.used and f.reason for f in report.fallbacks)
    assert [t.layer for t in report.self_tests] == sorted((t.layer for t in report.self_tests), key=LAYERS.index)
    assert {t.layer for t in report.self_tests} == set(LAYERS)
    assert [t for t in report.self_tests if not t.ok] == []
    assert report.ok


def test_self_tests_leave_the_process_as_it_was() -> None:
    before = fr.isa(), fr.num_threads()
    diagnostics.run_self_tests()
    assert (fr.isa(), fr.num_threads()) == before


def test_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "doctor", "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert document["format"] == diagnostics.FORMAT
    assert document["ok"] is True
    keys = "versions cpu cores threads isa cuda onnx_runtime extras op_paths fallbacks self_tests"
    assert set(document) == {"format", "ok", *keys.split()}
    assert {"layer", "name", "ok", "detail"} == set(document["self_tests"][0])


def test_text_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "doctor")
    report = diagnostics.report()
    assert status == 0
    assert report.isa.reason in out
    for extra in report.extras:
        assert extra.present or extra.get in out  # square brackets survive
    for fallback in report.fallbacks:
        assert fallback.reason in out
    for test in report.self_tests:
        assert test.detail in out


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--json"]])
def test_failing_self_test(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise ValueError("two and two is five")

    tests = [("core", "arithmetic", broken), ("core", "fine", lambda: "as it should be")]
    monkeypatch.setattr(diagnostics, "SELF_TESTS", tests)
    status, out, _ = run(capsys, *arguments)
    assert status == 1
    assert "ValueError: two and two is five" in out
    assert "as it should be" in out  # the others still run
    if "--json" in arguments:
        document = json.loads(out)
        assert document["ok"] is False
        assert [t["ok"] for t in document["self_tests"]] == [False, True]


def test_damaged_bundle_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fr, "__file__", str(tmp_path / "__init__.py"))
    missing = {t.name: t for t in diagnostics.run_self_tests()}["bundled assets"]
    assert not missing.ok
    assert "reinstall" in missing.detail
    bundle = tmp_path / "assets" / "forgehead.forge"
    bundle.mkdir(parents=True)
    (bundle / "bundle.json").write_text("{", encoding="utf-8")
    damaged = {t.name: t for t in diagnostics.run_self_tests()}["bundled assets"]
    assert not damaged.ok


# ---- its parts ----


def test_onnx_runtime_library_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORGE_RT_ORT_LIBRARY", str(tmp_path / "none.so"))
    assert "names no file" in diagnostics.onnx_runtime_status().reason
    text = tmp_path / "text.so"
    text.write_text("not a library", encoding="utf-8")
    monkeypatch.setenv("FORGE_RT_ORT_LIBRARY", str(text))
    status = diagnostics.onnx_runtime_status()
    assert (status.library, status.found_by) == (str(text), "FORGE_RT_ORT_LIBRARY")
    assert "does not load" in status.reason
    other_library = fr._core.__file__
    monkeypatch.setenv("FORGE_RT_ORT_LIBRARY", other_library)
    assert "not ONNX Runtime" in diagnostics.onnx_runtime_status().reason


def test_onnx_runtime_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    monkeypatch.delenv("FORGE_RT_ORT_LIBRARY", raising=False)
    status = diagnostics.onnx_runtime_status()
    assert status.found_by == "package"
    assert status.version == onnxruntime.__version__
    assert set(status.providers) == set(onnxruntime.get_available_providers())
    assert not status.reason


def test_onnx_runtime_missing_or_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGE_RT_ORT_LIBRARY", raising=False)
    monkeypatch.setattr(diagnostics.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(diagnostics, "package_version", lambda name: None)
    assert "forge-rt[cpu]" in diagnostics.onnx_runtime_status().reason
    monkeypatch.setattr(diagnostics, "package_version", lambda name: "1.0")
    status = diagnostics.onnx_runtime_status()
    assert set(status.packages) == {"onnxruntime", "onnxruntime-gpu"}
    assert "both installed" in status.note


@pytest.mark.parametrize(
    ("version", "specifiers", "answer"),
    [
        ("2.13.0+cpu", "==2.13.0", True),
        ("2.13", "==2.13.0", True),
        ("2.13.1", "==2.13.0", False),
        ("4.14.0.94", ">=4.10,<5", True),
        ("5.0.0", ">=4.10,<5", False),
        ("4.9", ">=4.10,<5", False),
        ("1.31.1", "", True),
        ("2.0rc1", ">=1.20", True),
    ],
)
def test_version_rules(version: str, specifiers: str, answer: bool) -> None:
    assert diagnostics.satisfies(version, specifiers) is answer


def test_extras_come_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"onnxruntime": "1.10", "pytest": "9.0"}
    monkeypatch.setattr(diagnostics, "package_version", installed.get)
    found = {extra.name: extra for extra in diagnostics.extras()}
    assert found["cpu"].missing == ["onnxruntime>=1.20 (found 1.10)"]
    assert found["cpu"].get == 'pip install "forge-rt[cpu]"'
    assert not found["test"].present
    assert not any(
        "pytest" in missing and "found" not in missing for missing in found["test"].missing if "8" in missing
    )
    assert "torch==2.13.0" in found["export"].missing


def facts(**changes: Any) -> list[diagnostics.Fallback]:
    isa = changes.get("isa", diagnostics.Isa("avx512", "avx512", "avx512: best path of this build on this processor"))
    cuda = changes.get("cuda", diagnostics.Cuda(True, ["GPU"], "13.0", "13.0", ""))
    ort = diagnostics.OnnxRuntime("lib", "package", "1", [], {}, changes.get("ort", ""), "")
    paths = changes.get("paths", {"cpu": {"op": "avx512"}, "cuda:0": {"op": "cuda"}})
    found = diagnostics.fallbacks(isa, cuda, ort, paths)
    return [f for f in found if "cores" not in f.what]


def test_fallbacks_are_named_with_their_reason() -> None:
    assert facts() == []
    no_gpu = facts(cuda=diagnostics.Cuda(False, [], "", "", "built without CUDA"), paths={"cpu": {"op": "avx512"}})
    assert [(f.what, f.used, f.reason) for f in no_gpu] == [("CUDA", "cpu", "built without CUDA")]
    assert "no AVX-512" in facts(isa=diagnostics.Isa("avx2", "avx2", "best"))[0].reason
    forced = facts(isa=diagnostics.Isa("baseline", "avx512", "baseline: FORGE_RT_ISA=baseline"))
    assert (forced[0].used, forced[0].reason) == ("baseline", "baseline: FORGE_RT_ISA=baseline")
    assert facts(paths={"cpu": {"slow": "scalar"}, "cuda:0": {"slow": "missing"}})[1].what == "slow on cuda:0"
    assert facts(ort="not installed")[0].what == "ONNX Runtime"


def test_an_isa_that_cannot_be_followed_is_a_fallback() -> None:
    code = "from forge_rt import diagnostics as d; print([f.what for f in d.report().fallbacks])"
    command = [sys.executable, "-c", f"import os; os.environ['FORGE_RT_ISA'] = 'sse9'; {code}"]
    assert "FORGE_RT_ISA" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


# ---- the command line ----


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"forge-rt {fr.__version__}\n", "")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(name in out for name in cli.COMMANDS)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "no-such-command")
    assert status == 2
    assert "no-such-command" in err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (fr.NotFoundError("no file a.forge;\ngive another"), "forge-rt: error: no file a.forge; give another\n"),
        (KeyError("weights"), "forge-rt: unexpected error: KeyError: 'weights' "),
    ],
)
def test_errors_are_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(diagnostics, "report", fail)
    status, out, err = run(capsys, "doctor")
    assert (status, out) == (2, "")
    assert err.startswith(line)
    assert err.count("\n") == 1
    with pytest.raises(type(error)):
        cli.main(["--debug", "doctor"])


def test_a_command_loads_only_itself() -> None:
    code = "import sys\nfrom forge_rt.cli.main import main\ntry: main(['--version'])\nexcept SystemExit: pass\n"
    code += "print([m for m in sys.modules if m in ('cv2', 'torch', 'forge_rt.cli.doctor', 'forge_rt.cli.bench')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.splitlines()[-1] == "[]"
