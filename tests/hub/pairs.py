"""Models of keras-hub beside their twins in transformers and timm, one row a pair.

Configs are tiny, and sizes that mean something else are other numbers where a config allows it, so that no
tensor fits where it does not belong. Images are not square where both libraries take such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.transformers.pairs import (
    BATCH,
    DISTILBERT,
    ENCODER,
    GPT2,
    LENGTH,
    ROBERTA,
    SWIN,
    VIT,
    VOCABULARY,
    Arrays,
)

Draw = Callable[[np.random.Generator], tuple[Any, Arrays]]


@dataclass(frozen=True)
class Pair:
    """A model of keras-hub and its PyTorch twin.

    Args:
        name: shown to people, and the test's id.
        torch: name of the transformers class, or of the timm model.
        config: arguments of the transformers config class, or of the timm model.
        inputs: draws what the Keras model takes, and the same by parameter name of the PyTorch model.
        converter: module of `keras_hub.src.utils` that knows the names of both sides; without one, `build`.
        build: makes the Keras model from `keras_hub.models`.
        task: name of the keras-hub class around the backbone, if any.
        options: further arguments of the transformers class.
        open: why something is left open; empty if nothing is.
        differs: what the two compute otherwise, by the names of the causes.
    """

    name: str
    torch: str
    config: Mapping[str, Any]
    inputs: Draw
    converter: str = ""
    build: Callable[[Any], Any] | None = None
    task: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    open: str = ""
    differs: frozenset[str] = frozenset()


def tokens(*more: str, length: int = LENGTH, mask: bool = True, prefix: str = "", keras_prefix: str = "") -> Draw:
    """Token ids, a mask that hides the last two of the second row, and segments of zeros and ones."""

    def draw(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        ids = rng.integers(5, VOCABULARY, (BATCH, length))
        shown = np.ones((BATCH, length), np.int64)
        shown[1, -2:] = 0
        segments = rng.integers(0, 2, (BATCH, length))
        ours, theirs = {f"{keras_prefix}token_ids": ids}, {f"{prefix}input_ids": ids}
        if mask:
            ours[f"{keras_prefix}padding_mask"], theirs[f"{prefix}attention_mask"] = shown, shown
        if "segments" in more:
            ours["segment_ids"], theirs["token_type_ids"] = segments, segments
        return ours, theirs

    return draw


def both(*draws: Draw) -> Draw:
    """Several draws together."""

    def draw(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        drawn = [each(rng) for each in draws]
        ours = {name: array for each, _ in drawn for name, array in each.items()}
        return ours, {name: array for _, each in drawn for name, array in each.items()}

    return draw


def images(height: int, width: int, name: str = "pixel_values", keras_name: str = "") -> Draw:
    """A batch of images, channels last for Keras and first for PyTorch."""

    def draw(rng: np.random.Generator) -> tuple[Any, Arrays]:
        array = rng.standard_normal((BATCH, height, width, 3)).astype(np.float32)
        return {keras_name: array} if keras_name else array, {name: array.transpose(0, 3, 1, 2).copy()}

    return draw


def sounds(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Log-mel features, time first for Keras and last for PyTorch."""
    array = rng.standard_normal((BATCH, 30, 10)).astype(np.float32)
    return {"encoder_features": array}, {"input_features": array.transpose(0, 2, 1).copy()}


def hub(name: str, **sizes: Any) -> Callable[[Any], Any]:
    """A backbone of keras-hub by name."""
    return lambda models: getattr(models, name)(**sizes)


def clip(models: Any) -> Any:
    """CLIP of an image and a text encoder, which keras-hub exports no names for."""
    from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder

    vision = CLIPVisionEncoder(4, 30, 2, 3, 44, image_shape=(20, 20, 3))
    return models.CLIPBackbone(vision, CLIPTextEncoder(VOCABULARY, 24, 24, 2, 3, 40, max_sequence_length=17), 18)


TYPED = tokens("segments")
TOKENS = tokens()
# So many that every expert has some.
MANY = tokens(length=16)
PICTURED = both(images(20, 20, keras_name="images"), tokens(mask=False))
SEQ2SEQ = both(
    tokens(keras_prefix="encoder_"),
    tokens(prefix="decoder_", keras_prefix="decoder_"),
)

BART = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 17,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 3,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "forced_eos_token_id": 2,
    "decoder_start_token_id": 2,
}
GROUPED = {
    **ENCODER,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": True,
}
UNTIED = {**GROUPED, "tie_word_embeddings": False}
MISTRAL = {**UNTIED, "sliding_window": 9}
MIXTRAL = {**UNTIED, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": None}
QWEN_MOE = {
    **UNTIED,
    "num_experts": 5,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 28,
    "shared_expert_intermediate_size": 36,
    "use_sliding_window": False,
}
QWEN3 = {**GROUPED, "head_dim": 10, "use_sliding_window": False}
QWEN3_MOE = {**UNTIED, "head_dim": 10, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 28}
GEMMA = {**GROUPED, "head_dim": 10}
GEMMA2 = {**GEMMA, "query_pre_attn_scalar": 10, "sliding_window": 9}
GPT_OSS = {
    **UNTIED,
    "head_dim": 10,
    "num_local_experts": 5,
    "num_experts_per_tok": 2,
    "sliding_window": 9,
}
DINOV2 = {**VIT, "mlp_ratio": 2}
BACKBONE = {"vocabulary_size": VOCABULARY, "num_layers": 2, "num_heads": 3, "hidden_dim": 24, "intermediate_dim": 40}
GROUPED_BACKBONE = {
    **{name: size for name, size in BACKBONE.items() if name != "num_heads"},
    "num_query_heads": 4,
    "num_key_value_heads": 2,
}
T5 = {"vocab_size": VOCABULARY, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_layers": 2, "num_heads": 3}
WHISPER = {**BART, "max_target_positions": 17, "num_mel_bins": 10, "max_source_positions": 15}
DEBERTA = {
    **ENCODER,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "share_att_key": True,
    "position_buckets": 4,
    "norm_rel_ebd": "layer_norm",
    "type_vocab_size": 0,
    "position_biased_input": False,
    "max_relative_positions": 17,
}
SEGFORMER = {
    "depths": [1, 2, 1, 1],
    "hidden_sizes": [8, 12, 16, 20],
    "num_attention_heads": [1, 2, 2, 4],
    "sr_ratios": [8, 4, 2, 1],
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu_pytorch_tanh",
}
CLIP = {
    "text_config": {**ENCODER, "eos_token_id": 52, "bos_token_id": 1, "layer_norm_eps": 1e-6},
    "vision_config": {**VIT, "hidden_size": 30, "intermediate_size": 44},
    "projection_dim": 18,
}
PLAIN = {"add_pooling_layer": False}
IMAGE = images(64, 96, "x")
MIT = {
    "layerwise_depths": [1, 2, 1, 1],
    "num_layers": 4,
    "layerwise_num_heads": [1, 2, 2, 4],
    "layerwise_sr_ratios": [8, 4, 2, 1],
    "max_drop_path_rate": 0.1,
    "layerwise_patch_sizes": [7, 3, 3, 3],
    "layerwise_strides": [4, 2, 2, 2],
    "image_shape": (64, 64, 3),
    "hidden_dims": [8, 12, 16, 20],
}
ESM = {**ROBERTA, "mask_token_id": 4}
SLICES = "the class token is sliced off in front of a norm in one, behind it in the other"
TABLES = "the position table of transformers has rows that keras-hub's lacks"
SEGMENTS = f"{TABLES}, and segments"
HEAD = "layers behind the features, which keras-hub's backbone lacks"

EPSILON = frozenset({"epsilon"})
# Pairs whose converter in keras-hub knows the names of both sides.
CONVERTED = (
    Pair("albert", "AlbertModel", {**ENCODER, "embedding_size": 14}, TYPED, "albert"),
    Pair("bart", "BartModel", BART, SEQ2SEQ, "bart", open=TABLES),
    Pair("bert", "BertModel", ENCODER, TYPED, "bert", differs=frozenset({"approximate"})),
    Pair("distilbert", "DistilBertModel", DISTILBERT, TOKENS, "distilbert"),
    Pair("esm", "EsmModel", ESM, tokens(mask=False), "esm", options=PLAIN, open=TABLES),
    Pair(
        "esm-rotary",
        "EsmModel",
        {**ESM, "position_embedding_type": "rotary"},
        tokens(mask=False),
        "esm",
        options=PLAIN,
        differs=frozenset({"mask"}),  # Keras leaves padding out that PyTorch has to be told of, and then scales
    ),
    Pair("gemma", "GemmaModel", GEMMA, TOKENS, "gemma"),
    Pair("gemma-lm", "GemmaForCausalLM", GEMMA, TOKENS, "gemma", task="GemmaCausalLM"),
    Pair("gemma2", "Gemma2Model", {**GEMMA2, "attn_implementation": "eager"}, TOKENS, "gemma"),
    Pair("gemma3", "Gemma3TextModel", GEMMA2, TOKENS, "gemma3"),
    Pair("gpt2", "GPT2Model", GPT2, TOKENS, "gpt2"),
    Pair("gpt2-lm", "GPT2LMHeadModel", GPT2, TOKENS, "gpt2", task="GPT2CausalLM"),
    Pair("llama3", "LlamaModel", GROUPED, TOKENS, "llama3"),
    Pair("llama3-lm", "LlamaForCausalLM", UNTIED, TOKENS, "llama3", task="Llama3CausalLM"),
    Pair(
        "mistral-lm", "MistralForCausalLM", {**UNTIED, "sliding_window": 9}, TOKENS, "mistral", task="MistralCausalLM"
    ),
    Pair("mixtral-lm", "MixtralForCausalLM", MIXTRAL, MANY, "mixtral", task="MixtralCausalLM"),
    Pair("qwen", "Qwen2Model", {**GROUPED, "use_sliding_window": False}, TOKENS, "qwen"),
    Pair("qwen3", "Qwen3Model", QWEN3, TOKENS, "qwen3", differs=EPSILON),
    Pair("qwen-moe-lm", "Qwen2MoeForCausalLM", QWEN_MOE, MANY, "qwen_moe", task="QwenMoeCausalLM"),
    Pair("qwen3-moe-lm", "Qwen3MoeForCausalLM", QWEN3_MOE, MANY, "qwen3_moe", task="Qwen3MoeCausalLM"),
    Pair("roberta", "RobertaModel", ROBERTA, TOKENS, "roberta", options=PLAIN, open=SEGMENTS),
    Pair("xlm-roberta", "XLMRobertaModel", ROBERTA, TOKENS, "xlm_roberta", options=PLAIN, open=SEGMENTS),
    Pair("smollm3", "SmolLM3Model", GROUPED, TOKENS, "smollm3", open="keras-hub stores the angles as weights"),
    Pair("deit", "DeiTModel", VIT, images(20, 20), "deit", options=PLAIN),
    Pair("dinov2", "Dinov2Model", DINOV2, images(20, 20), "dinov2"),
    Pair(
        "dinov2-registers",
        "Dinov2WithRegistersModel",
        {**DINOV2, "num_register_tokens": 3},
        images(20, 20),
        "dinov2",
    ),
    Pair("dinov3", "DINOv3ViTModel", {**VIT, "num_register_tokens": 3}, images(20, 20), "dinov3"),
    Pair("swin", "SwinModel", SWIN, images(32, 32), "swin_transformer"),
    Pair("vit", "ViTModel", VIT, images(20, 20), "vit", options=PLAIN, differs=EPSILON),
)
# The same for timm.
TIMM = (
    Pair("resnet18", "resnet18", {}, IMAGE, "resnet"),
    Pair("resnetv2-50", "resnetv2_50", {}, IMAGE, "resnet"),
    Pair("densenet121", "densenet121", {}, IMAGE, "densenet", differs=EPSILON | {"padding"}),
    Pair("efficientnet-b0", "efficientnet_b0", {}, IMAGE, "efficientnet"),
    Pair("mobilenetv3", "mobilenetv3_small_050", {}, IMAGE, "mobilenet", open=HEAD),
    Pair("vgg11", "vgg11", {}, IMAGE, "vgg", open=HEAD),
    Pair("darknet53", "darknet53", {}, IMAGE, "cspnet"),
    Pair("cspresnet50", "cspresnet50", {}, IMAGE, "cspnet"),
    Pair("hgnetv2-b0", "hgnetv2_b0", {}, IMAGE, "hgnetv2", open=HEAD),
)
# Pairs without a converter: what is carried over is right if both compute the same then.
COMPUTED = (
    Pair(
        "bloom",
        "BloomModel",
        {"vocab_size": VOCABULARY, "hidden_size": 24, "n_layer": 2, "n_head": 3},
        TOKENS,
        build=hub("BloomBackbone", **{**BACKBONE, "intermediate_dim": 96}),
    ),
    Pair(
        "clip",
        "CLIPModel",
        CLIP,
        both(images(20, 20, keras_name="images"), tokens(mask=False)),
        build=clip,
        open=SLICES,
    ),
    Pair(
        "deberta-v3",
        "DebertaV2Model",
        DEBERTA,
        TOKENS,
        build=hub("DebertaV3Backbone", **BACKBONE, max_sequence_length=17, bucket_size=4),
        open="products of one-hot rows and relative positions",
    ),
    Pair(
        "falcon",
        "FalconModel",
        {
            **{
                name: ENCODER[name]
                for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
            },
            **{"alibi": True, "bias": True, "multi_query": False, "parallel_attn": False},
        },
        TOKENS,
        build=hub(
            "FalconBackbone",
            vocabulary_size=VOCABULARY,
            num_layers=2,
            num_attention_heads=3,
            hidden_dim=24,
            intermediate_dim=96,
        ),
    ),
    Pair(
        "fnet",
        "FNetModel",
        {
            **{name: size for name, size in ENCODER.items() if name != "num_attention_heads"},
            "type_vocab_size": 4,
        },
        tokens("segments", mask=False),
        build=hub(
            "FNetBackbone",
            **{name: size for name, size in BACKBONE.items() if name != "num_heads"},
            max_sequence_length=17,
        ),
    ),
    Pair(
        "gpt-neox",
        "GPTNeoXModel",
        {**ENCODER, "rotary_pct": 0.25, "hidden_act": "gelu_pytorch_tanh"},
        TOKENS,
        build=hub("GPTNeoXBackbone", **BACKBONE, max_sequence_length=17),
    ),
    Pair("segformer", "SegformerModel", SEGFORMER, images(64, 64), build=hub("MiTBackbone", **MIT)),
    Pair(
        "opt",
        "OPTModel",
        {**ENCODER, "ffn_dim": 40, "word_embed_proj_dim": 24, "pad_token_id": 1},
        TOKENS,
        build=hub("OPTBackbone", **BACKBONE, max_sequence_length=17),
        open=TABLES,
    ),
    Pair(
        "phi3",
        "Phi3Model",
        {**UNTIED, "original_max_position_embeddings": 17, "rms_norm_eps": 1e-6},
        TOKENS,
        build=hub("Phi3Backbone", **GROUPED_BACKBONE, max_sequence_length=17),
    ),
    Pair(
        "t5",
        "T5Model",
        T5,
        SEQ2SEQ,
        build=hub("T5Backbone", **BACKBONE, key_value_dim=6, use_gated_activation=False),
    ),
    Pair(
        "t5-gated",
        "T5Model",
        {**T5, "feed_forward_proj": "gated-silu"},
        SEQ2SEQ,
        build=hub("T5Backbone", **BACKBONE, key_value_dim=6, activation="silu"),
    ),
    Pair(
        "whisper",
        "WhisperModel",
        WHISPER,
        both(sounds, tokens(prefix="decoder_", keras_prefix="decoder_")),
        build=hub(
            "WhisperBackbone",
            **BACKBONE,
            num_mels=10,
            max_encoder_sequence_length=30,
            max_decoder_sequence_length=17,
        ),
    ),
    Pair(
        "xlnet",
        "XLNetModel",
        {"vocab_size": VOCABULARY, "d_model": 24, "n_layer": 2, "n_head": 3, "d_inner": 40},
        TYPED,
        build=hub("XLNetBackbone", **BACKBONE),
        open="scores of content and of positions are summed in another order",
    ),
)
PAIRS = (*CONVERTED, *TIMM, *COMPUTED)
