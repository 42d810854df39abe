"""What Ditto was published with to ask for: the wordings of the note in its authors' ComfyUI workflow, letter by letter."""

_SCULPTED = (
    *(
        "bronze",
        "ranbow candy and biscuits",
        "tasty and delicious chocolate",
        "silver",
        "gold",
        "rusted iron",
    ),
    *("glass", "bricks", "ice", "slime"),
)
_TURNED = ("3D Chibi", "Fabric", "Ghibli", "Jojo", "LEGO", "Paper Cutting")
# In the order of the note; "ranbow" is how it is written there.
DITTO_STYLES = (
    "Turn it into the real domain.",
    "Make the scene in fire.",
    "Make it Steampunk style (mechanical with gears, pipes and brass details).",
    "Make it a Japanese anime style, cel shading video.",
    "Make it a pencil sketch style video.",
    "Make it a Pixel Art video.",
    "Make it a Claymation.",
    "Make it a Ukiyo-e style video.",
    "Make it a Renaissance art style video.",
    "Make it a drawing by Van Gogh.",
    "Make it Cyberpunk style. (implants, futuristic).",
    "Make it watercolor drawing style.",
    "Make it Comic Book Style.",
    "Make it Children's Book Illustration.",
    "Make it a Charcoal Drawing.",
    "Make it Rick and Morty style.",
    "Make it Spirited Away style.",
    "Make it Moe style anime.",
    "Make it Pixar style.",
    "Make it Golden Age Warner/Disney style.",
    "Make it My Little Pony style.",
    *(f"Make it sculptured with {what}." for what in _SCULPTED),
    *(f"Turn it into the {what} style." for what in _TURNED),
)
