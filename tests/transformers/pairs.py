"""The TensorFlow classes of Hugging Face transformers beside their PyTorch twins, one row a pair.

Configs are tiny, and sizes that mean something else are other numbers where a config allows it, so that no
tensor fits where it does not belong. Images are not square where both frameworks take such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]
Draw = Callable[[np.random.Generator], Arrays]
BATCH, LENGTH = 2, 7


@dataclass(frozen=True)
class Pair:
    """A TensorFlow class of transformers and its PyTorch twin.

    Args:
        name: shown to people, and the test's id.
        tf: name of the TensorFlow class.
        torch: name of the PyTorch class.
        config: arguments of the config class.
        inputs: draws the inputs that both models take, by parameter name.
        computed: parts of names of stored tensors that the TensorFlow class computes; they keep their values.
        note: what a reader of the table must know.
        small: in the default test run.
    """

    name: str
    tf: str
    torch: str
    config: Mapping[str, Any]
    inputs: Draw
    computed: tuple[str, ...] = field(default=())
    note: str = ""
    small: bool = False


def tokens(*names: str, vocab: int = 53, length: int = LENGTH, mask: bool = True, prefix: str = "") -> Draw:
    """Token ids, a mask that hides the last two of the second row, and whatever else of small numbers."""

    def draw(rng: np.random.Generator) -> Arrays:
        arrays = {f"{prefix}input_ids": rng.integers(5, vocab, (BATCH, length))}
        if mask:
            arrays[f"{prefix}attention_mask"] = np.ones((BATCH, length), np.int64)
            arrays[f"{prefix}attention_mask"][1, -2:] = 0
        return arrays | {name: rng.integers(0, 2, (BATCH, length)) for name in names}

    return draw


def floats(name: str, *shape: int) -> Draw:
    """Normal noise."""
    return lambda rng: {name: rng.standard_normal((BATCH, *shape)).astype(np.float32)}


def both(*draws: Draw) -> Draw:
    """Several draws together."""
    return lambda rng: {name: array for draw in draws for name, array in draw(rng).items()}


def images(height: int, width: int, channels: int = 3) -> Draw:
    """A batch of images, channels first, as both frameworks of transformers take them."""
    return floats("pixel_values", channels, height, width)


SEQ2SEQ = both(tokens(), tokens(prefix="decoder_", length=5, mask=False))

ENCODER = {
    "vocab_size": 53,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 17,
}
GPT2 = {"vocab_size": 53, "n_positions": 17, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 40}
T5 = {"vocab_size": 53, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 3}
VIT = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 20,
    "patch_size": 4,
}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 3], "window_size": 4}
CLIP = {
    "text_config": {**ENCODER, "eos_token_id": 2, "bos_token_id": 1},
    "vision_config": {
        **VIT,
        "hidden_size": 30,
        "intermediate_size": 44,
    },
    "projection_dim": 18,
}
WAV2VEC2 = {
    "vocab_size": 53,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "conv_dim": (10, 14, 18),
    "conv_stride": (3, 2, 2),
    "conv_kernel": (5, 3, 2),
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "vocab_size": 53,
    "num_mel_bins": 10,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 44,
    "max_source_positions": 15,
    "max_target_positions": 17,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
}

PAIRS = (
    Pair("bert", "TFBertModel", "BertModel", ENCODER, tokens("token_type_ids")),
    Pair("bert-mlm", "TFBertForMaskedLM", "BertForMaskedLM", ENCODER, tokens("token_type_ids")),
    Pair("gpt2", "TFGPT2Model", "GPT2Model", GPT2, tokens()),
    Pair("gpt2-lm", "TFGPT2LMHeadModel", "GPT2LMHeadModel", GPT2, tokens()),
    Pair("t5", "TFT5Model", "T5Model", T5, SEQ2SEQ),
    Pair("t5-lm", "TFT5ForConditionalGeneration", "T5ForConditionalGeneration", T5, SEQ2SEQ),
    Pair("vit", "TFViTModel", "ViTModel", VIT, images(20, 20)),
    Pair(
        "distilbert",
        "TFDistilBertModel",
        "DistilBertModel",
        {"vocab_size": 53, "dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 40, "max_position_embeddings": 17},
        tokens(),
    ),
    Pair("albert", "TFAlbertModel", "AlbertModel", {**ENCODER, "embedding_size": 14}, tokens("token_type_ids")),
    Pair(
        "deberta",
        "TFDebertaModel",
        "DebertaModel",
        {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
        tokens(),
    ),
    Pair(
        "deberta-v2",
        "TFDebertaV2Model",
        "DebertaV2Model",
        {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
        tokens(),
    ),
    Pair("swin", "TFSwinModel", "SwinModel", SWIN, images(32, 32)),
    Pair("clip", "TFCLIPModel", "CLIPModel", CLIP, both(tokens(), images(20, 20))),
    Pair("wav2vec2", "TFWav2Vec2Model", "Wav2Vec2Model", WAV2VEC2, floats("input_values", 400)),
    Pair(
        "whisper",
        "TFWhisperModel",
        "WhisperModel",
        WHISPER,
        both(floats("input_features", 10, 30), tokens(prefix="decoder_", length=5, mask=False)),
    ),
)
