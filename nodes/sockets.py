"""The types of Reelpatch's own that links between its nodes carry; everything else is ComfyUI's."""

from comfy_api.latest import io

WORKED_CLIP = io.Custom("REELPATCH_CLIP")  # reelpatch.clips.worked_clip.WorkedClip
REFERENCES = io.Custom("REELPATCH_REFERENCES")  # list of images [h, w, 1 | 3 | 4]
GUIDANCE = io.Custom("REELPATCH_GUIDANCE")  # reelpatch.sampling.guidance.GuidancePlan
WORKED_PICTURE = io.Custom("REELPATCH_PICTURE")  # reelpatch.edits.reasoning.worked_picture.WorkedPicture
