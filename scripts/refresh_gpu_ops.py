"""The GPU checker's rules as a table, each with its source, held to the real engine now: the table of docs/gpu-ops.md.

python scripts/refresh_gpu_ops.py [--write]      exit status 1 where the engine does otherwise than conversion/gpu/ops.json says.
--write: the day and the engine's version go into ops.json, if nothing differs. Needs scripts/gpu_packages.sh.
"""

import datetime
import importlib.metadata
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.gpu_op_engine import engine_answers  # noqa: E402
from support.gpu_op_models import CASES, build  # noqa: E402

from conversion.gpu.devices import software_devices  # noqa: E402
from conversion.gpu.ops import check_gpu, gpu_table  # noqa: E402

TABLE = ROOT / "conversion/gpu/ops.json"


def rule_of(entry: dict, refused: bool) -> str:
    """An operation's rule in words."""
    if refused:
        return "refused"
    parts = [rule.replace("_", " ") for rule in entry.get("rules", ())]
    if entry.get("max_version") is not None:
        parts.append(f"version {entry['max_version']} at most")
    return ", ".join(parts) or "taken"


def main() -> None:
    """Prints the table; the exit status says whether the engine agrees."""
    devices = {device.name: device for device in software_devices()}
    if "swiftshader" not in devices:
        sys.exit("refresh_gpu_ops.py: no software Vulkan device: run scripts/gpu_packages.sh")
    with tempfile.TemporaryDirectory() as folder:
        files = build(Path(folder))
        said = engine_answers(files, devices["swiftshader"])
        verdicts = {name: check_gpu(path).compatible for name, path in files.items()}
    different = [name for name, answer in said.items() if (answer is None) != verdicts[name]]
    table, cases = gpu_table(), defaultdict(list)
    for name, answer in said.items():
        cases[CASES[name][0]].append(answer is None)
    source = table["source"]
    print("| operation | rule | source | cases taken and right, of those run |\n|---|---|---|---|")  # noqa: T201
    for name, entry in sorted({**table["ops"], **table["refused"]}.items()):
        origin = f"engine: {entry['correction']['engine']}" if "correction" in entry else f"{source['commit'][:8]}, {source['date']}"
        ran = f"{sum(cases[name])} of {len(cases[name])}" if cases[name] else "not run"
        print(f"| {name} | {rule_of(entry, name in table['refused'])} | {origin} | {ran} |")  # noqa: T201
    for name in different:
        print(f"DIFFERENT: {name}: the engine {said[name] or 'takes it'}", file=sys.stderr)  # noqa: T201
    if "--write" in sys.argv[1:] and not different:
        version = importlib.metadata.version("ai-edge-litert")
        text = TABLE.read_text()
        engine = table["engine"]
        today = engine | {
            "name": engine["name"].rsplit(" ", 1)[0] + f" {version}",
            "measured": f"{datetime.date.today()}, {engine['measured'].split(', ', 1)[1]}",
        }
        TABLE.write_text(text.replace(json.dumps(engine), json.dumps(today)))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
