"""What ComfyUI is told when it loads the pack."""

from comfy_api.latest import ComfyExtension, io

from .apply import ApplyEdit
from .backbone import LoadBackbone
from .channel_edit import EditByChannels
from .clips import Clip, FinishClip, References
from .compare import Compare
from .contact_sheet import ContactSheet
from .context_edit import EditInContext
from .convert import ConvertWeights
from .crop import CropToMask
from .demo_text import DemoTextEncoder
from .ditto_style import DittoStyle
from .edit_module import LoadEditModule
from .edit_picture import EditPicture
from .enhance import Enhance
from .files import offer_demo_material, register_demo_models
from .grounding_film import GroundingFilm
from .load_models import LoadChannelModels, LoadContextModels, LoadEnhancer, LoadModels, LoadPictureModels
from .long_clip import EditLongClip
from .long_enhance import EnhanceLongClip
from .lora import LoadLora
from .mask_track import TrackNode
from .measure import Measure
from .pair_models import LoadPairModels
from .pairs import FinishPair, PairedGeneration
from .picture import FinishPicture, Picture
from .plain_errors import tell_plainly
from .plan import Plan
from .recipe import PublishedRecipe
from .result_name import ResultName
from .rewrite import RewriteInstruction
from .sampling import FlowUniPC, GuidanceSchedule
from .several import Several
from .tasks import VaceTask
from .told_version import serve_version
from .track_routes import serve_editor

NODES: tuple[type[io.ComfyNode], ...] = (
    LoadBackbone,
    LoadEditModule,
    LoadLora,
    LoadModels,
    LoadEnhancer,
    DemoTextEncoder,
    ConvertWeights,
    Clip,
    References,
    VaceTask,
    ApplyEdit,
    PublishedRecipe,
    FlowUniPC,
    GuidanceSchedule,
    FinishClip,
    EditLongClip,
    Enhance,
    EnhanceLongClip,
    CropToMask,
    TrackNode,
    Compare,
    Measure,
    Plan,
    EditInContext,
    GroundingFilm,
    EditByChannels,
    LoadPictureModels,
    LoadContextModels,
    LoadChannelModels,
    LoadPairModels,
    Picture,
    EditPicture,
    FinishPicture,
    RewriteInstruction,
    PairedGeneration,
    FinishPair,
    ResultName,
    DittoStyle,
    Several,
    ContactSheet,
)


class ReelpatchExtension(ComfyExtension):
    """Ids of nodes are forever: workflows of users name them."""

    async def on_load(self) -> None:
        register_demo_models()
        offer_demo_material()
        serve_editor()
        serve_version()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [tell_plainly(node) for node in NODES]
