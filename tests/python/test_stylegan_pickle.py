"""Official checkpoints: what is read, what is refused, and that nothing in a file is ever run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import official_pickle as official  # noqa: E402
from damaged_files import read_damaged  # noqa: E402
from forge_rt.export.models import next3d  # noqa: E402
from forge_rt.export.models.next3d import config as configs  # noqa: E402
from forge_rt.export.readers import torch_streams  # noqa: E402
from forge_rt.export.readers.stylegan_pickle import read_checkpoint  # noqa: E402

BUFFERS = ("noise_const", "resample_filter", "w_avg", "uvcoords")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def small_config(**changes):
    values = dict(
        z_dim=16, w_dim=24, embed_features=8, layer_features=12, channel_base=512, channel_max=8, plane_resolution=256,
        plane_channels=4, texture_channels=4, texture_resolution=32, decoder_hidden=8, feature_channels=4, superresolution="8XDC",
        sr_channels=(6, 4), topology=configs.Topology(6, 5, 7), rendering=configs.RenderingConfig(c_scale=1.0),
    )  # fmt: skip
    return configs.Next3DConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def model():
    """Next3D of a few channels, with everything that official files hold."""
    torch.manual_seed(0)
    made = next3d.Next3D(small_config(), dead_weights=True)
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape))
            elif tensor.numel():
                tensor.copy_(torch.randint(0, 5, tensor.shape))
            assert tensor.is_contiguous(), name
    return made


ATTRIBUTES = dict(
    rendering_kwargs=official.EasyDict(
        depth_resolution=48, c_scale=1, ray_start=2.25, avg_camera_pivot=[0, 0, 0.2],
        superresolution_module="training.superresolution.SuperresolutionHybrid8XDC", density_noise=np.float64(0.5),
    ),
    neural_rendering_resolution=128,
    _init_kwargs=official.EasyDict(z_dim=16, img_resolution=512, sr_num_fp16_res=4, mapping_kwargs=official.EasyDict(num_layers=2)),
    _init_args=(),
    uv_face_mask=torch.arange(16.0).reshape(1, 1, 4, 4) / 16,
    orth_scale=torch.tensor([[5.0]]),
    orth_shift=torch.tensor([[0, -0.01, -0.01]]),
    load_lms=True,
    fill_mouth=True,
)  # fmt: skip


def tiny(**attributes):
    """A network of two tensors: the smallest valid one."""
    tensors = {"decoder.net.0.weight": torch.arange(6.0).reshape(2, 3), "backbone.mapping.w_avg": torch.ones(3)}
    return official.network(tensors, buffers=BUFFERS, **{**ATTRIBUTES, **attributes})


def assert_same(got, want):
    assert got.keys() == want.keys()
    for name, tensor in want.items():
        assert got[name].dtype == tensor.dtype and torch.equal(got[name], tensor), name


# ---- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_official_files(tmp_path, model, protocol):
    """All tensors bit by bit, the options, and a model that computes the same."""
    state = model.state_dict()
    path = official.save(
        tmp_path / "net.pkl", official.network(state, buffers=BUFFERS, **ATTRIBUTES), protocol=protocol
    )
    read = read_checkpoint(path)
    assert_same(read.tensors, state)
    assert read.class_name == "TriPlaneGenerator"
    assert read.init_kwargs == dict(z_dim=16, img_resolution=512, sr_num_fp16_res=4, mapping_kwargs=dict(num_layers=2))
    assert read.rendering_kwargs["density_noise"] == 0.5 and read.rendering_kwargs["avg_camera_pivot"] == [0, 0, 0.2]
    assert read.neural_rendering_resolution == 128
    assert torch.equal(read.attributes["uv_face_mask"], ATTRIBUTES["uv_face_mask"])
    assert read.attributes["fill_mouth"] is True and read.attributes["load_lms"] is True
    if protocol == 4:
        config = next3d.read_config(read)
        assert config == small_config(neural_rendering_resolution=128)
        made = next3d.make_model(read)
        z, c = torch.randn(2, 16), torch.randn(2, 25)
        assert torch.equal(made.mapping(z, c), model.mapping(z, c))


def test_a_state_dict_without_options_gets_the_published_ones(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "own.pt")
    config = next3d.read_config(read_checkpoint(tmp_path / "own.pt"))
    assert config.rendering == configs.RenderingConfig() and config.rendering.c_scale == 1


def test_other_networks_of_a_file(tmp_path):
    discriminator = official.network({"b4.out.weight": torch.ones(2)}, class_name="DualDiscriminator")
    path = official.save(tmp_path / "net.pkl", tiny(), D=discriminator)
    assert list(read_checkpoint(path, network="D").tensors) == ["b4.out.weight"]
    with pytest.raises(fr.UnsupportedError, match=r"net\.pkl: it has no network G; it has G_ema, D"):
        read_checkpoint(path, network="G")


@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool],
)  # fmt: skip
def test_types_offsets_and_strides(tmp_path, dtype):
    base = (torch.arange(60) % 2 if dtype == torch.bool else torch.arange(60)).to(dtype)
    views = {
        "plain": base.reshape(3, 4, 5), "turned": base.reshape(12, 5).T, "part": base[7:19], "column": base.reshape(12, 5)[:, 3],
        "scalar": base[9], "empty": base[:0].reshape(0, 4),
    }  # fmt: skip
    state = official.module_state(buffers=views)
    path = official.save(tmp_path / "net.pkl", official.Persistent("Net", state))
    read = read_checkpoint(path).tensors
    assert_same(read, views)
    assert read["turned"].stride() == (1, 5)


def test_parts_of_other_classes_are_inert(tmp_path):
    state = official.module_state(members={
        "renderer": official.Plain("anything.at.all", "ImportanceRenderer", official.module_state(
            members={"ray_marcher": official.Plain("anything", "MipRayMarcher2", official.module_state())},
            plane_axes=torch.eye(3).repeat(3, 1, 1),
        )),
        "none": None,
    }, buffers={"a": torch.ones(1), "absent": None}, ray_sampler=official.Plain("m", "RaySampler", official.module_state()))  # fmt: skip
    read = read_checkpoint(official.save(tmp_path / "net.pkl", official.Persistent("Net", state)))
    assert list(read.tensors) == ["a"]
    assert read.attributes["renderer.plane_axes"].shape == (3, 3, 3)


def test_plane_axes_come_from_the_file(tmp_path, model):
    axes = torch.tensor(configs.EG3D_AXES)
    network = official.network(model.state_dict(), buffers=BUFFERS, **ATTRIBUTES)
    network.meta["state"]["_modules"]["renderer"] = official.Plain(
        "m", "ImportanceRenderer", official.module_state(plane_axes=axes)
    )
    read = read_checkpoint(official.save(tmp_path / "net.pkl", network))
    assert next3d.read_config(read, blend_planes="all").plane_axes == configs.EG3D_AXES


def test_eg3d_files(tmp_path):
    torch.manual_seed(1)
    made = next3d.EG3D(configs.EG3DConfig(
        z_dim=8, w_dim=12, embed_features=12, layer_features=12, channel_base=256, channel_max=8, plane_resolution=32, plane_channels=4,
        decoder_hidden=6, feature_channels=5, superresolution="2X", sr_channels=(4, 4), rendering=configs.RenderingConfig(c_scale=1.0),
    ))  # fmt: skip
    options = official.EasyDict(c_scale=1, superresolution_module="training.superresolution.SuperresolutionHybrid2X")
    network = official.network(made.state_dict(), buffers=BUFFERS, rendering_kwargs=options)
    read = read_checkpoint(official.save(tmp_path / "net.pkl", network))
    assert next3d.read_config(read) == made.config
    c = torch.randn(1, 25)
    again = next3d.make_model(read)
    assert torch.equal(again.mapping(torch.ones(1, 8), c), made.mapping(torch.ones(1, 8), c))
    # a state dict without options: the kind of super-resolution from its shapes
    torch.save(made.state_dict(), tmp_path / "net.pt")
    assert next3d.read_config(read_checkpoint(tmp_path / "net.pt")).superresolution == "2X"


def test_layers_know_their_clamps(tmp_path, model):
    """A network that was made with its class's defaults has no fp16 blocks and clamps at 256; its arguments do not say so."""
    network = official.network(model.state_dict(), buffers=BUFFERS, **{**ATTRIBUTES, "_init_kwargs": {}})

    def layers(record):
        own = record.meta["state"] if isinstance(record, official.Persistent) else record.__dict__
        for name, member in own["_modules"].items():
            if name.startswith("conv") and "affine" in member.meta["state"]["_modules"]:
                yield member.meta["state"]
            yield from layers(member)

    for name, clamp in (("superresolution", None), ("backbone", np.float64(256))):
        for state in layers(network.meta["state"]["_modules"][name]):
            state["conv_clamp"] = clamp
    config = next3d.read_config(read_checkpoint(official.save(tmp_path / "net.pkl", network)))
    assert (config.conv_clamp, config.sr_conv_clamp) == (256, None)


def test_options_may_be_numpy_scalars_and_arguments(tmp_path):
    options = ATTRIBUTES["rendering_kwargs"]
    path = official.save(
        tmp_path / "net.pkl",
        tiny(rendering_kwargs=None, neural_rendering_resolution=np.int64(96), orth_scale=np.float32(4),
             _init_kwargs=official.EasyDict(rendering_kwargs=options)),
    )  # fmt: skip
    read = read_checkpoint(path)
    assert read.rendering_kwargs["ray_start"] == 2.25 and read.neural_rendering_resolution == 96
    assert read.attributes["orth_scale"] == 4


@pytest.mark.parametrize("name", ["fill_mouth", "load_lms"])
def test_switches_that_no_published_model_turns(tmp_path, model, name):
    network = official.network(model.state_dict(), buffers=BUFFERS, **{**ATTRIBUTES, name: False})
    with pytest.raises(fr.UnsupportedError, match=f"has {name} switched off"):
        next3d.read_config(read_checkpoint(official.save(tmp_path / "net.pkl", network)))


def test_a_network_alone(tmp_path, model):
    path = tmp_path / "net.pkl"
    path.write_bytes(official.dumps(official.network(model.state_dict(), buffers=BUFFERS, **ATTRIBUTES)))
    read = read_checkpoint(path)
    assert read.class_name == "TriPlaneGenerator"
    assert_same(read.tensors, model.state_dict())


@pytest.mark.parametrize("writer", ["torch", "pickle"])
@pytest.mark.parametrize("key", [None, "state_dict", "G_ema"])
def test_state_dicts(tmp_path, model, key, writer):
    """Of `state_dict()`, which carries metadata; with and without what the network was made with."""
    state = model.state_dict()
    assert state._metadata

    def written(value):
        if writer == "torch":
            torch.save(value, tmp_path / "net.pt")
        else:
            (tmp_path / "net.pt").write_bytes(pickle.dumps(value, 2))
        return read_checkpoint(tmp_path / "net.pt")

    read = written(state if key is None else {key: state, "step": 3})
    assert_same(read.tensors, state)
    assert (read.init_kwargs, read.rendering_kwargs) == ({}, {})
    if key is None:
        return
    mask = ATTRIBUTES["uv_face_mask"]
    options = dict(depth_resolution=24, superresolution_module="SuperresolutionHybrid8XDC")
    read = written({key: state, "init_kwargs": dict(sr_num_fp16_res=0), "rendering_kwargs": options, "neural_rendering_resolution": 32,
                    "uv_face_mask": mask})  # fmt: skip
    assert_same(read.tensors, state)
    config = next3d.read_config(read)
    assert config.sr_conv_clamp is None and config.neural_rendering_resolution == 32
    assert config.rendering.depth_resolution == 24 and config.rendering.c_scale == 0
    assert torch.equal(read.attributes["uv_face_mask"], mask)
    read = written({key: state, "_init_kwargs": dict(sr_num_fp16_res=4, rendering_kwargs=options)})
    assert read.rendering_kwargs == options and next3d.read_config(read).sr_conv_clamp == 256


def test_state_dicts_with_other_things(tmp_path):
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"a.weight": torch.ones(2), "b": "words"}))
    with pytest.raises(fr.UnsupportedError, match="b is a str, expected a state dict: tensors by name"):
        read_checkpoint(tmp_path / "net.pkl")


def test_a_super_resolution_that_nothing_tells_apart(tmp_path):
    """8X, 4X and 2X have equal weights: their noise tells them apart, and may be left out of a file."""
    made = next3d.EG3D(configs.EG3DConfig(
        z_dim=8, w_dim=12, channel_base=256, channel_max=8, plane_resolution=32, plane_channels=4, decoder_hidden=6, feature_channels=5,
        superresolution="4X", sr_channels=(4, 4),
    ))  # fmt: skip
    state = {k: v for k, v in made.state_dict().items() if not ("superresolution" in k and "noise" in k)}
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(fr.InvalidArgumentError, match="does not say which super-resolution it has"):
        next3d.read_config(read_checkpoint(tmp_path / "net.pt"))


def test_safetensors(tmp_path, model):
    safetensors = pytest.importorskip("safetensors.torch")
    state = model.state_dict()
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        kept = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
        safetensors.save_file(kept, tmp_path / "net.safetensors")
        assert_same(read_checkpoint(tmp_path / "net.safetensors").tensors, kept)


# ---- checkpoints of other networks ----------------------------------------------------------------------------------


def test_configurations_of_other_networks(tmp_path, model):
    read = read_checkpoint(official.save(tmp_path / "a.pkl", tiny()))
    with pytest.raises(fr.InvalidArgumentError, match="no EG3D or Next3D generator"):
        next3d.read_config(read)
    path = official.save(tmp_path / "b.pkl", official.network(model.state_dict(), buffers=BUFFERS, **ATTRIBUTES))
    for name, value, message in (
        (
            "superresolution_module",
            "a.SuperresolutionHybridDeepfp32",
            "is not supported; known are SuperresolutionHybrid8XDC",
        ),
        ("disparity_space_sampling", True, "disparity_space_sampling is not supported"),
        ("ray_start", "near", "ray_start must be float, got 'near'"),
        ("depth_resolution", [1], r"depth_resolution must be int, got \(1,\)"),
    ):
        read = read_checkpoint(path)
        read.rendering_kwargs[name] = value
        with pytest.raises(fr.ForgeError, match=message):
            next3d.read_config(read)
    read = read_checkpoint(path)
    read.tensors = {k: v for k, v in read.tensors.items() if ".encoder.2." not in k}
    with pytest.raises(fr.UnsupportedError, match=r"an encoder of 3 levels, the published one goes from 64 to 4"):
        next3d.read_config(read)
    read = read_checkpoint(path)
    read.tensors["backbone.synthesis.b65536.torgb.weight"] = torch.zeros(12, 1, 1, 1)
    with pytest.raises(fr.InvalidArgumentError, match="plane_resolution must be one of"):
        next3d.read_config(read)


# ---- malicious files ------------------------------------------------------------------------------------------------


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker: Path):
    return {
        "system": Call(os.system, f"touch {marker}"),
        "builtins.eval": Call(eval, f"open({str(marker)!r}, 'w')"),
        "builtins.exec": Call(exec, f"open({str(marker)!r}, 'w')"),
        "builtins.getattr": Call(getattr, "", "join"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "torch.load": Call(torch.load, str(marker)),
        "torch.hub": Call(torch.hub.load, "a/b", "c"),
        "numpy.load": Call(np.load, str(marker), None, True),
        "pickle.loads": Call(pickle.loads, b"N."),
    }


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", attacks(Path("x")))
@pytest.mark.parametrize("place", ["top", "state", "other network", "stream"])
def test_other_names_are_refused(tmp_path, name, place, protocol):
    marker = tmp_path / "was_run"
    attack = attacks(marker)[name]
    path = tmp_path / "net.pkl"
    if place == "top":
        path.write_bytes(pickle.dumps(attack, protocol))
    elif place == "state":
        official.save(path, tiny(extra=attack), protocol=protocol)
    elif place == "other network":
        official.save(path, tiny(), protocol=protocol, augment_pipe=attack)
    else:
        stream = b"".join(pickle.dumps(x, 2) for x in (torch_streams.MAGIC, 1001, {"little_endian": True}, attack))
        load = torch.storage._load_from_bytes
        tensor = Call(torch._utils._rebuild_tensor_v2, Call(load, stream), 0, (2,), (1,), False, {})
        official.save(
            path, official.Persistent("Net", official.module_state() | {"_buffers": {"a": tensor}}), protocol=protocol
        )
    with pytest.raises(
        fr.CorruptFileError,
        match=r"the file asks for \S+, which this reader does not allow.*expected an official|the file asks",
    ):
        read_checkpoint(path)
    assert not marker.exists()


def test_source_is_dropped_unread(tmp_path):
    source = "import pathlib; pathlib.Path('was_run').touch()"
    for text in (source, 7, None, b"\xff", ["x"]):
        network = tiny()
        network.meta["module_src"] = text
        read = read_checkpoint(official.save(tmp_path / "net.pkl", network))
        assert len(read.tensors) == 2 and source not in repr(read)
    assert not Path("was_run").exists()


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(version=5), fr.UnsupportedError, "version 5, expected class and 6"),
        (dict(type="function"), fr.UnsupportedError, "type 'function'"),
        (dict(state=None), fr.CorruptFileError, "without class name or state"),
        (dict(class_name=3), fr.CorruptFileError, "without class name or state"),
        (dict(state={}), fr.UnsupportedError, "its TriPlaneGenerator has no tensors"),
        (dict(state={"_modules": []}), fr.UnsupportedError, "has no tensors"),
        (dict(state={"_modules": [1]}), fr.CorruptFileError, "no valid members"),
        (dict(state={"_modules": {"a": 1}}), fr.CorruptFileError, "a is no module"),
        (dict(state={"_modules": {3: official.Persistent("N", {})}}), fr.CorruptFileError, "without a valid name"),
        (dict(state={"_buffers": {"a": 1}}), fr.CorruptFileError, "a is no tensor"),
        (dict(state={"_buffers": [1]}), fr.CorruptFileError, "_buffers is no dictionary"),
    ],
)
def test_wrong_records(tmp_path, change, error, message):
    network = tiny()
    network.meta.update(change)
    with pytest.raises(error, match=message):
        read_checkpoint(official.save(tmp_path / "net.pkl", network))


def stream(
    values=b"\0" * 16,
    *,
    count=4,
    claimed=4,
    key="0",
    keys=("0",),
    magic=torch_streams.MAGIC,
    little=True,
    view=None,
    kind=None,
):
    """A storage as torch.save wrote it, with any claims."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value[1] if isinstance(value, tuple) and value[0] == "persistent" else None

    out = io.BytesIO()
    for value in (magic, 1001, {"little_endian": little}):
        pickle.dump(value, out, 2)
    Pickler(out, 2).dump(("persistent", ("storage", kind or torch.FloatStorage, key, "cpu", claimed, view)))
    pickle.dump(list(keys), out, 2)
    return out.getvalue() + struct.pack("<q", count) + values


def file_of_tensor(path, data, offset=0, size=(4,), stride=(1,)):
    tensor = Call(
        torch._utils._rebuild_tensor_v2, Call(torch.storage._load_from_bytes, data), offset, size, stride, False, {}
    )
    return official.save(path, official.Persistent("Net", official.module_state() | {"_buffers": {"a": tensor}}))


def test_a_stream_made_by_hand(tmp_path):
    numbers = torch.tensor([1.0, 2, 3, 4])
    path = file_of_tensor(tmp_path / "net.pkl", stream(numbers.numpy().tobytes()))
    assert torch.equal(read_checkpoint(path).tensors["a"], numbers)


@pytest.mark.parametrize(
    "data, error, message",
    [
        (stream(magic=5), fr.CorruptFileError, "does not start as torch.save"),
        (stream(little=False), fr.UnsupportedError, "another byte order"),
        (stream(claimed=2**39), fr.CorruptFileError, "a storage of 549755813888 × torch.float32 with 16 bytes"),
        (stream(count=2**62), fr.CorruptFileError, "a storage of 4 × torch.float32"),
        (stream(count=2**39, claimed=2**39), fr.CorruptFileError, "with 16 bytes of numbers"),
        (stream(claimed=-1), fr.CorruptFileError, "without type, key or size"),
        (stream(claimed=True), fr.CorruptFileError, "without type, key or size"),
        (stream(keys=("0", "1")), fr.CorruptFileError, "something else than one storage"),
        (stream(keys=("1",)), fr.CorruptFileError, "something else than one storage"),
        (stream(view=("1", 0, 4)), fr.UnsupportedError, "a view of another one"),
        (stream(kind=torch.ComplexFloatStorage), fr.CorruptFileError, "asks for torch.ComplexFloatStorage"),
        (stream(kind="FloatStorage"), fr.CorruptFileError, "without type, key or size"),
        (stream(b"\2" * 4, kind=torch.BoolStorage), fr.CorruptFileError, "booleans with other numbers"),
        (stream()[:-1], fr.CorruptFileError, "with 15 bytes of numbers"),
        (stream()[:60], fr.CorruptFileError, "not a readable checkpoint"),
        (b"", fr.CorruptFileError, "not a readable checkpoint"),
        ("text", fr.CorruptFileError, "no stream of bytes"),
    ],
)
def test_wrong_streams(tmp_path, data, error, message):
    with pytest.raises(error, match=message):
        read_checkpoint(file_of_tensor(tmp_path / "net.pkl", data))


@pytest.mark.parametrize(
    "offset, size, stride",
    [
        (1, (4,), (1,)), (0, (5,), (1,)), (0, (2, 2), (4, 1)), (0, (2**20, 2**19), (0, 0)), (0, (4,), (2,)), (-1, (2,), (1,)), (0, (2,), (-1,)),
        (0, (2,), (1, 1)), (0, [2], (1,)), (0, (2.0,), (1,)), (0, (1,) * 17, (1,) * 17), (2**50, (1,), (1,)), (5, (), ()), (0, (5,), (0,)),
        (None, (1,), (1,)),
    ],
)  # fmt: skip
def test_tensors_that_reach_beyond_their_storage(tmp_path, offset, size, stride):
    with pytest.raises(fr.CorruptFileError, match="a tensor"):
        read_checkpoint(file_of_tensor(tmp_path / "net.pkl", stream(), offset, size, stride))


# ---- files that claim more than they hold ---------------------------------------------------------------------------

#: In a process of its own: memory is limited, and it may crash.
HOSTILE = """
import resource, sys, time, tracemalloc
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
import forge_rt as fr
from forge_rt.export.readers.stylegan_pickle import read_checkpoint
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    read_checkpoint(sys.argv[1])
    print("read")
except (fr.CorruptFileError, fr.UnsupportedError) as error:
    print("refused:", str(error)[-200:])
print("used", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, "MiB", round(time.process_time() - start, 1), "s")
"""


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def hostile_files():
    record = name("torch.nn.modules.container", "Sequential") + b")\x81"
    tuple_ = b")" + b"\x85" * 300_000
    doubled = b"]" + b"".join(b"q\x00]h\x00ah\x00a" for _ in range(300))
    return {
        "memo of 4 billion": b"\x80\x02Nr\xff\xff\xff\xff.",
        "bytes of 8 exabytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
        "bytearray of 64 GB": b"\x80\x05\x96" + struct.pack("<Q", 1 << 36) + b".",
        "text of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
        "frame of 1 TB": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
        "negative length": b"\x80\x02T\xff\xff\xff\xffN.",
        "integer of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "long text integer": b"L" + b"9" * 3_000_000 + b"L\n.",
        "deep tuple": b"\x80\x02" + tuple_ + b".",
        "deep tuple as a key": b"\x80\x02}" + tuple_ + b"Ns.",
        "deep list": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
        "deep dictionaries": b"\x80\x02" + b"}K\x01" * 200_000 + b"}" + b"s" * 200_000 + b".",
        "deep records": b"\x80\x02" + (record + b"}X\x01\x00\x00\x00a") * 50_000 + b"N" + b"sb" * 50_000 + b".",
        "list that doubles": b"\x80\x02" + doubled + b".",
        "list of itself": b"\x80\x02]q\x00h\x00a.",
        "marks without end": b"(" * 500_000 + b".",
        "keys that collide": b"\x80\x02}(" + b"".join(b"\x8a\x10" + (k * (2**61 - 1)).to_bytes(16, "little") + b"N" for k in range(1, 20_000)) + b"u.",
        "class instead of a value": b"\x80\x02" + name("torch.nn.modules.container", "Sequential") + b".",
        "state for a class": b"\x80\x02" + name("torch.nn.modules.container", "Sequential") + b"}b.",
        "dotted name": b"\x80\x02" + name("torch.nn.modules.container", "Sequential.forward") + b".",
        "extension": b"\x80\x02\x82\x01.",
        "empty": b"",
        "zeros": bytes(100_000),
        "zip": b"PK\x03\x04" + bytes(100),
        "safetensors": b"\xff" * 7 + b"\x00{" + bytes(100),
    }  # fmt: skip


@pytest.mark.parametrize("kind", hostile_files())
def test_hostile_files(tmp_path, kind):
    (tmp_path / "net.pkl").write_bytes(hostile_files()[kind])
    with pytest.raises((fr.CorruptFileError, fr.UnsupportedError)):
        read_checkpoint(tmp_path / "net.pkl")


def reused(depth: int, width: int):
    """A network whose members are each other's members: few bytes, width^depth paths."""
    node = official.Persistent("Net", official.module_state(buffers={"a": torch.ones(1)}))
    for _ in range(depth):
        node = official.Persistent("Net", official.module_state(members={str(i): node for i in range(width)}))
    return node


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.write_bytes(hostile_files()["memo of 4 billion"]),
        lambda p: p.write_bytes(hostile_files()["bytearray of 64 GB"]),
        lambda p: p.write_bytes(hostile_files()["deep tuple as a key"]),
        lambda p: p.write_bytes(hostile_files()["deep records"]),
        lambda p: official.save(p, reused(30, 10)),
        lambda p: official.save(p, reused(60, 1)),
        lambda p: file_of_tensor(p, stream(), size=(2**30, 2**9), stride=(0, 0)),
    ],
)
def test_hostile_files_use_little(tmp_path, run_script, make):
    make(tmp_path / "net.pkl")
    (tmp_path / "read.py").write_text(HOSTILE)
    result = run_script(tmp_path / "read.py", tmp_path / "net.pkl", timeout_s=120)
    assert result.returncode == 0, f"exit {result.returncode}: {result.stderr[-500:]}"
    answer, used = result.stdout.strip().splitlines()
    assert answer.startswith("refused:"), answer
    assert int(used.split()[1]) < 500 and float(used.split()[3]) < 20, used


def test_options_of_any_size(tmp_path):
    huge: list = []
    for _ in range(40):
        huge = [huge] * 10
    for options in ({"a": huge}, {"a": torch.zeros(10**6)}, {"a": [0] * 10**5}):
        with pytest.raises(fr.CorruptFileError, match="rendering_kwargs is nested too deeply or too large"):
            read_checkpoint(official.save(tmp_path / "net.pkl", tiny(rendering_kwargs=options)))


# ---- damaged files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["protocol 2", "protocol 4", "zip", "safetensors"])
def test_damaged_files(tmp_path, run_script, kind):
    tensors = {"decoder.net.0.weight": torch.arange(6.0).reshape(2, 3), "backbone.mapping.w_avg": torch.ones(3)}
    if kind == "zip":
        path = tmp_path / "net.pt"
        torch.save(tensors, path)
    elif kind == "safetensors":
        path = tmp_path / "net.safetensors"
        pytest.importorskip("safetensors.torch").save_file(tensors, path)
    else:
        path = official.save(tmp_path / "net.pkl", tiny(), protocol=int(kind[-1]))
    read_damaged(run_script, "checkpoint", path, 1500)


# ---- files of another kind ------------------------------------------------------------------------------------------


def test_other_files(tmp_path):
    with pytest.raises(fr.NotFoundError, match="no file"):
        read_checkpoint(tmp_path / "nothing.pkl")
    torch.save({"a": torch.ones(1)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(fr.UnsupportedError, match=r"PyTorch before 1\.6; load it there"):
        read_checkpoint(tmp_path / "old.pt")
    for value, message in (([1], "holds a list"), ({"G": None}, "no network G_ema; it has none")):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
        with pytest.raises(fr.UnsupportedError, match=message):
            read_checkpoint(tmp_path / "a.pkl")
    for value, message in (
        ([1], "holds a list"),
        ({"a": 1}, "a is a int, expected a state dict"),
        ({}, "expected a state dict"),
    ):
        torch.save(value, tmp_path / "b.pt")
        with pytest.raises(fr.UnsupportedError, match=message):
            read_checkpoint(tmp_path / "b.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(fr.CorruptFileError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "module.pt")


def test_archives_that_are_not_of_torch(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10**6))
    with pytest.raises(fr.CorruptFileError, match="compressed or named twice"):
        read_checkpoint(tmp_path / "a.zip")
