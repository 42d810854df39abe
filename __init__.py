"""ComfyUI's door to Reelpatch: what it reads when this folder stands in `custom_nodes`."""

WEB_DIRECTORY = "./js"
