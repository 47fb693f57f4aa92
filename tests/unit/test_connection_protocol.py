"""The committed code is what the protos generate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["engine_pb2.py", "engine_pb2.pyi", "whatsapp_pb2.py", "whatsapp_pb2.pyi"])
def test_the_python_code_is_up_to_date(name: str, tmp_path: Path) -> None:
    script = ROOT / "engine" / "protocol" / "generate.sh"
    subprocess.run([script, tmp_path], check=True, env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"})
    committed = ROOT / "actors" / "instance" / "connection" / name
    assert (tmp_path / name).read_text() == committed.read_text(), "run make protocol"


def test_the_go_code_is_of_the_same_proto() -> None:
    """Go's descriptor holds every name of the proto, so a name that is missing shows stale code."""
    from actors.instance.connection import engine_pb2 as pb

    generated = (ROOT / "engine" / "protocol" / "engine.pb.go").read_text()
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            number_and_name = f'protobuf:"{_wire(field)},{field.number},'
            assert f",name={field.name}," in generated, f"{message.name}.{field.name}: run make protocol"
            assert number_and_name in generated, f"{message.name}.{field.name}: run make protocol"


def _wire(field: object) -> str:
    kinds = {
        1: "fixed64",
        2: "fixed32",
        3: "varint",
        4: "varint",
        5: "varint",
        8: "varint",
        13: "varint",
        14: "varint",
    }
    return kinds.get(field.type, "bytes")  # type: ignore[attr-defined]
