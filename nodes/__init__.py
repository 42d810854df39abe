"""ComfyUI as a host of Reelpatch's edits: each node is a schema and a short `execute` over the engine."""
