"""Small Python projects to put into an image. They build without the network: their build backend is their own."""

from __future__ import annotations

from pathlib import Path

PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

BACKEND = """
import os
import zipfile

NAME, VERSION, TAGS = "parts", "1.0", "{tags}"
WHEEL = "Wheel-Version: 1.0\\nGenerator: backend {{packer}}\\nRoot-Is-Purelib: true\\nTag: {{tags}}\\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files = {{
        "parts.py": open("parts.py").read(),
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n",
        f"{{info}}/WHEEL": WHEEL.format(packer=os.getpid(), tags=TAGS),
    }}
    files[f"{{info}}/RECORD"] = "".join(f"{{name}},,\\n" for name in [*files, f"{{info}}/RECORD"])
    name = f"{{NAME}}-{{VERSION}}-{{TAGS}}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    os.makedirs("build", exist_ok=True)
    return name
"""


def write_project(folder: Path, *, code: str = "VALUE = 42\n", tags: str = "py3-none-any") -> Path:
    """A project with one module, `parts`. Its wheels say who packed them, so two of them never have equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND.format(tags=tags))
    (folder / "parts.py").write_text(code)
    return folder
