"""ComfyUI's door to Reelpatch: what it reads when this folder stands in `custom_nodes`."""

import importlib.util
import sys
from pathlib import Path

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():  # noqa: ANN201 -- the type is ComfyUI's, which is imported only when it asks
    """The nodes, when ComfyUI asks for them; nothing is imported before."""
    _bind_engine()
    from .nodes.extension import ReelpatchExtension

    return ReelpatchExtension()


def _bind_engine() -> None:
    """Makes `import reelpatch` mean the engine in this folder, whatever else is installed.

    Not by a search path: the other folders here have names that would stand in the way of other packages.
    """
    folder = Path(__file__).resolve().parent / "reelpatch"
    spec = importlib.util.spec_from_file_location("reelpatch", folder / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} has no engine in it: get a complete copy of Reelpatch.")
    loaded = sys.modules.get("reelpatch")
    if loaded is not None and Path(str(loaded.__file__)).parent == folder:
        return
    engine = importlib.util.module_from_spec(spec)
    sys.modules["reelpatch"] = engine
    spec.loader.exec_module(engine)
