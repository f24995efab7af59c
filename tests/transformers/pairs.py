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
BATCH, LENGTH, VOCABULARY, DOCUMENTS = 2, 7, 53, 3


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
        differs: what the two classes compute otherwise, by the names of the causes.
        lists: differences of equal models that a report lists all the same: they act on other inputs only.
        note: what a reader of the table must know.
        small: in the default test run.
    """

    name: str
    tf: str
    torch: str
    config: Mapping[str, Any]
    inputs: Draw
    computed: tuple[str, ...] = field(default=())
    differs: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    note: str = ""
    small: bool = False


def pair(name: str, torch: str, config: Mapping[str, Any], inputs: Draw, **more: Any) -> Pair:
    """A row whose TensorFlow class has the PyTorch class's name with `TF` before it, which all have."""
    return Pair(name, f"TF{torch}", torch, config, inputs, **more)


def tokens(*names: str, length: int = LENGTH, mask: bool = True, padded: bool = True, prefix: str = "") -> Draw:
    """Token ids, a mask that hides the last two of the second row, and whatever else of zeros and ones."""

    def draw(rng: np.random.Generator) -> Arrays:
        arrays = {f"{prefix}input_ids": rng.integers(5, VOCABULARY, (BATCH, length))}
        if mask:
            arrays[f"{prefix}attention_mask"] = np.ones((BATCH, length), np.int64)
            arrays[f"{prefix}attention_mask"][1, -2:] = int(not padded)
        return arrays | {name: rng.integers(0, 2, (BATCH, length)) for name in names}

    return draw


def floats(name: str, *shape: int) -> Draw:
    """Normal noise."""
    return lambda rng: {name: rng.standard_normal((BATCH, *shape)).astype(np.float32)}


def whole(name: str, below: int, *shape: int) -> Draw:
    """Whole numbers from 0 on."""
    return lambda rng: {name: rng.integers(0, below, (BATCH, *shape))}


def boxes(rng: np.random.Generator) -> Arrays:
    """Boxes around the tokens of a page: left, top, right, bottom."""
    return {"bbox": np.sort(rng.integers(0, 20, (BATCH, LENGTH, 2, 2)), axis=2).reshape(BATCH, LENGTH, 4)}


def documents(rng: np.random.Generator) -> Arrays:
    """Token ids of every document that was found for every row, as RAG takes them."""
    ids = rng.integers(5, VOCABULARY, (BATCH * DOCUMENTS, LENGTH + 2))
    return {"context_input_ids": ids, "context_attention_mask": np.ones_like(ids)}


def both(*draws: Draw) -> Draw:
    """Several draws together."""
    return lambda rng: {name: array for draw in draws for name, array in draw(rng).items()}


def images(height: int, width: int, channels: int = 3) -> Draw:
    """A batch of images, channels first, as both frameworks of transformers take them."""
    return floats("pixel_values", channels, height, width)


DECODER = tokens(prefix="decoder_", length=5, mask=False)
SEQ2SEQ = both(tokens(), DECODER)
TYPED = tokens("token_type_ids")

ENCODER = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 17,
}
ROBERTA = {**ENCODER, "max_position_embeddings": 19, "pad_token_id": 1, "type_vocab_size": 1}
FACTORISED = {**ENCODER, "embedding_size": 14}
CONVBERT = {**FACTORISED, "num_attention_heads": 4, "head_ratio": 2, "conv_kernel_size": 5}
DISTILBERT = {
    "vocab_size": VOCABULARY,
    "dim": 24,
    "n_layers": 2,
    "n_heads": 3,
    "hidden_dim": 40,
    "max_position_embeddings": 17,
}
DEBERTA = {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
DEBERTA_V2 = {**DEBERTA, "share_att_key": True, "position_buckets": 4, "norm_rel_ebd": "layer_norm"}
GPT2 = {"vocab_size": VOCABULARY, "n_positions": 17, "n_embd": 24, "n_layer": 2, "n_head": 3}
XLM = {"vocab_size": VOCABULARY, "emb_dim": 24, "n_layers": 2, "n_heads": 3, "max_position_embeddings": 17}
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 24,
    "d_kv": 6,
    "d_ff": 40,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 3,
}
GATED_T5 = {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
BART = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 17,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 44,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "forced_eos_token_id": 2,
    "decoder_start_token_id": 2,
}
WHISPER = {**BART, "num_mel_bins": 10, "max_source_positions": 15, "max_target_positions": 17}
SPEECH = {
    **BART,
    "input_feat_per_channel": 10,
    "max_source_positions": 30,
    "max_target_positions": 17,
    "num_conv_layers": 2,
    "conv_kernel_sizes": (3, 5),
    "conv_channels": 28,
}
LED = {
    **BART,
    "max_encoder_position_embeddings": 17,
    "max_decoder_position_embeddings": 19,
    "attention_window": 4,
}
OPT = {
    **ENCODER,
    "intermediate_size": None,
    "ffn_dim": 40,
    "word_embed_proj_dim": 14,
    "bos_token_id": 2,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
XGLM = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 17,
    "d_model": 24,
    "ffn_dim": 40,
    "num_layers": 2,
    "attention_heads": 3,
}
MISTRAL = {**ENCODER, "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 9, "pad_token_id": 0}
FUNNEL = {
    "vocab_size": VOCABULARY,
    "block_sizes": [1, 2],
    "num_decoder_layers": 1,
    "d_model": 24,
    "n_head": 3,
    "d_head": 6,
    "d_inner": 40,
}
XLNET = {"vocab_size": VOCABULARY, "d_model": 24, "n_layer": 2, "n_head": 3, "d_inner": 40}
MOBILEBERT = {
    **ENCODER,
    "embedding_size": 14,
    "intra_bottleneck_size": 12,
    "true_hidden_size": 12,
    "num_feedforward_networks": 2,
}
LXMERT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 17,
    "l_layers": 2,
    "x_layers": 2,
    "r_layers": 1,
    "visual_feat_dim": 14,
    "num_qa_labels": 9,
    "num_object_labels": 8,
    "num_attr_labels": 6,
}
VIT = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 20,
    "patch_size": 4,
}
VIT_MAE = {
    **VIT,
    "decoder_num_attention_heads": 2,
    "decoder_hidden_size": 20,
    "decoder_num_hidden_layers": 2,
    "decoder_intermediate_size": 44,
}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 3], "window_size": 4}
SMALL_VISION = {**VIT, "hidden_size": 30, "intermediate_size": 44, "num_channels": 3}
CLIP = {
    "text_config": {**ENCODER, "eos_token_id": 2, "bos_token_id": 1},
    "vision_config": SMALL_VISION,
    "projection_dim": 18,
}
BLIP = {
    "text_config": {**ENCODER, "encoder_hidden_size": 30, "bos_token_id": 3, "pad_token_id": 0, "sep_token_id": 4},
    "vision_config": SMALL_VISION,
    "projection_dim": 18,
    "image_text_hidden_size": 16,
}
GROUPVIT = {
    "text_config": {**ENCODER, "eos_token_id": 2},
    "vision_config": {
        **SMALL_VISION,
        "depths": [2, 1, 1],
        "num_group_tokens": [6, 5, 0],
        "num_output_groups": [6, 5, 0],
    },
    "projection_dim": 18,
    "projection_intermediate_dim": 22,
}
CONVNEXT = {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 2, 1, 1], "image_size": 64}
CVT = {
    "embed_dim": [12, 16, 20],
    "num_heads": [1, 2, 4],
    "depth": [1, 2, 3],
    "image_size": 64,
    "mlp_ratio": [2.0, 3.0, 4.0],
}
REGNET = {"embedding_size": 10, "hidden_sizes": [12, 16, 20, 24], "depths": [1, 2, 1, 1], "groups_width": 4}
RESNET = {"embedding_size": 10, "hidden_sizes": [12, 16, 20, 24], "depths": [1, 2, 1, 1]}
MOBILEVIT = {
    "hidden_sizes": [12, 16, 20],
    "neck_hidden_sizes": [8, 10, 14, 18, 22, 26, 30],
    "num_attention_heads": 2,
    "mlp_ratio": 3.0,
    "image_size": 64,
}
SEGFORMER = {
    "depths": [1, 2, 1, 1],
    "hidden_sizes": [8, 12, 16, 20],
    "num_attention_heads": [1, 2, 2, 4],
    "sr_ratios": [8, 4, 2, 1],
    "decoder_hidden_size": 14,
}
SWIFTFORMER = {"depths": [1, 2, 1, 1], "embed_dims": [8, 12, 16, 20], "image_size": 64, "mlp_ratio": 3}
SAM = {
    "vision_config": {
        "hidden_size": 24,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "mlp_dim": 40,
        "image_size": 24,
        "patch_size": 4,
        "window_size": 4,
        "global_attn_indexes": [1],
        "num_pos_feats": 8,
    },
    "prompt_encoder_config": {"hidden_size": 16, "image_size": 24, "patch_size": 4, "mask_input_channels": 8},
    "mask_decoder_config": {
        "hidden_size": 16,
        "mlp_dim": 28,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 18,
    },
}
WAV2VEC2 = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "conv_dim": (10, 10, 10),
    "conv_stride": (3, 2, 2),
    "conv_kernel": (5, 3, 2),
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
}
STABLE_WAV2VEC2 = {**WAV2VEC2, "do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
IDEFICS = {
    **ENCODER,
    "additional_vocab_size": 4,
    "num_attention_heads": 3,
    "cross_layer_interval": 1,
    "alpha_initializer": "ones",
    "alpha_type": "float",
    "qk_layer_norms": True,
    "use_resampler": True,
    "vision_config": {
        "embed_dim": 30,
        "image_size": 20,
        "patch_size": 4,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
        "intermediate_size": 44,
    },
    "perceiver_config": {
        "resampler_n_latents": 5,
        "resampler_depth": 2,
        "resampler_n_heads": 2,
        "resampler_head_dim": 9,
        "qk_layer_norms_perceiver": True,
    },
}
IDEFICS_INPUTS = both(tokens(), floats("pixel_values", 1, 3, 20, 20), whole("image_attention_mask", 2, LENGTH, 1))
LAYOUT = both(TYPED, boxes)
LAYOUTLM = {**ENCODER, "max_2d_position_embeddings": 30}
LAYOUTLMV3 = {
    **ENCODER,
    "max_position_embeddings": 19,
    "pad_token_id": 1,
    "max_2d_position_embeddings": 30,
    "coordinate_size": 4,
    "shape_size": 4,
    "input_size": 20,
    "patch_size": 4,
    "rel_pos_bins": 8,
    "max_rel_pos": 16,
    "rel_2d_pos_bins": 10,
    "max_rel_2d_pos": 20,
}
TAPAS = {**ENCODER, "type_vocab_sizes": [3, 20, 20, 2, 20, 20, 10], "max_position_embeddings": 17}
RAG_INPUTS = both(SEQ2SEQ, documents, floats("doc_scores", DOCUMENTS))
BERT_DECODER = {**ENCODER, "model_type": "bert", "is_decoder": True, "add_cross_attention": True}

# Coordinates are clipped to the rows of the table, or to a number that is larger.
BOUNDS = frozenset({"high"})
# The loss of a masked image is averaged along another axis.
ANOTHER_LOSS = frozenset({"operation", "preprocessing"})
ANOTHER_GELU = "another function: gelu is exact in TensorFlow, by tanh in PyTorch"

# Name, PyTorch class, config, inputs; the TensorFlow class has `TF` before the name.
PAIRS = (
    pair("albert", "AlbertModel", FACTORISED, TYPED),
    pair("albert-mlm", "AlbertForMaskedLM", FACTORISED, TYPED),
    pair("bart", "BartModel", BART, SEQ2SEQ),
    pair("bart-lm", "BartForConditionalGeneration", BART, SEQ2SEQ),
    pair("bert", "BertModel", ENCODER, TYPED, small=True),
    pair("bert-mlm", "BertForMaskedLM", ENCODER, TYPED),
    pair("bert-pretraining", "BertForPreTraining", ENCODER, TYPED),
    pair("bert-classification", "BertForSequenceClassification", {**ENCODER, "num_labels": 5}, TYPED),
    pair("bert-qa", "BertForQuestionAnswering", ENCODER, TYPED),
    pair("bert-decoder", "BertLMHeadModel", {**ENCODER, "is_decoder": True}, TYPED),
    pair("bert-multiple-choice", "BertForMultipleChoice", ENCODER, whole("input_ids", VOCABULARY, 3, LENGTH)),
    pair("blenderbot", "BlenderbotModel", BART, SEQ2SEQ),
    pair("blenderbot-lm", "BlenderbotForConditionalGeneration", BART, SEQ2SEQ),
    pair("blenderbot-small", "BlenderbotSmallModel", BART, SEQ2SEQ),
    pair("blip", "BlipModel", BLIP, both(tokens(), images(20, 20))),
    pair("blip-caption", "BlipForConditionalGeneration", BLIP, both(tokens(), images(20, 20))),
    pair("blip-retrieval", "BlipForImageTextRetrieval", BLIP, both(tokens(), images(20, 20))),
    pair("camembert", "CamembertModel", ROBERTA, tokens()),
    pair("clip", "CLIPModel", CLIP, both(tokens(), images(20, 20))),
    pair("clip-text", "CLIPTextModel", CLIP["text_config"], tokens()),
    pair("clip-vision", "CLIPVisionModel", SMALL_VISION, images(20, 20)),
    pair("convbert", "ConvBertModel", CONVBERT, TYPED),
    pair("convbert-mlm", "ConvBertForMaskedLM", CONVBERT, TYPED),
    pair("convnext", "ConvNextModel", CONVNEXT, images(64, 64)),
    pair("convnext-classification", "ConvNextForImageClassification", {**CONVNEXT, "num_labels": 5}, images(64, 64)),
    pair("convnextv2", "ConvNextV2Model", CONVNEXT, images(64, 64)),
    pair("ctrl", "CTRLModel", {**GPT2, "dff": 40}, tokens()),
    pair("ctrl-lm", "CTRLLMHeadModel", {**GPT2, "dff": 40}, tokens()),
    pair("cvt", "CvtModel", CVT, images(64, 64)),
    pair("cvt-classification", "CvtForImageClassification", {**CVT, "num_labels": 5}, images(64, 64)),
    pair("data2vec-vision", "Data2VecVisionModel", VIT, images(20, 20)),
    pair(
        "data2vec-vision-relative",
        "Data2VecVisionForImageClassification",
        {**VIT, "use_relative_position_bias": True, "use_absolute_position_embeddings": True, "num_labels": 5},
        images(20, 20),
    ),
    pair("deberta", "DebertaModel", DEBERTA, tokens(padded=False)),
    pair("deberta-mlm", "DebertaForMaskedLM", DEBERTA, tokens(padded=False)),
    pair("deberta-v2", "DebertaV2Model", DEBERTA_V2, tokens(padded=False)),
    pair(
        "deberta-v2-conv",
        "DebertaV2Model",
        {**DEBERTA_V2, "conv_kernel_size": 3, "conv_act": "gelu"},
        tokens(padded=False),
    ),
    pair("deberta-v2-mlm", "DebertaV2ForMaskedLM", DEBERTA_V2, tokens(padded=False)),
    pair("deit", "DeiTModel", VIT, images(20, 20)),
    pair("deit-teacher", "DeiTForImageClassificationWithTeacher", {**VIT, "num_labels": 5}, images(20, 20)),
    pair(
        "deit-masked",
        "DeiTForMaskedImageModeling",
        {**VIT, "encoder_stride": 4},
        both(images(20, 20), whole("bool_masked_pos", 2, 25)),
        differs=ANOTHER_LOSS,
    ),
    pair("distilbert", "DistilBertModel", DISTILBERT, tokens()),
    pair("distilbert-mlm", "DistilBertForMaskedLM", DISTILBERT, tokens()),
    pair("dpr-question", "DPRQuestionEncoder", ENCODER, TYPED),
    pair("dpr-context", "DPRContextEncoder", ENCODER, TYPED),
    pair("dpr-reader", "DPRReader", ENCODER, tokens()),
    pair("electra", "ElectraModel", FACTORISED, TYPED),
    pair("electra-pretraining", "ElectraForPreTraining", FACTORISED, TYPED),
    pair("electra-mlm", "ElectraForMaskedLM", FACTORISED, TYPED),
    pair(
        "encoder-decoder",
        "EncoderDecoderModel",
        {"encoder": {**ENCODER, "model_type": "bert"}, "decoder": BERT_DECODER},
        SEQ2SEQ,
    ),
    pair(
        "esm",
        "EsmModel",
        {**ROBERTA, "emb_layer_norm_before": True, "mask_token_id": 4},
        tokens(),
        computed=("inv_freq",),
        differs=frozenset({"operation"}),
        note="another function where tokens are masked: only TensorFlow multiplies embeddings by the mask",
    ),
    pair(
        "esm-rotary",
        "EsmForMaskedLM",
        {**ROBERTA, "position_embedding_type": "rotary", "mask_token_id": 4},
        tokens(padded=False),
        computed=("inv_freq",),
    ),
    pair("flaubert", "FlaubertModel", XLM, tokens()),
    pair("flaubert-lm", "FlaubertWithLMHeadModel", XLM, tokens()),
    pair("funnel", "FunnelModel", FUNNEL, TYPED),
    pair("funnel-base", "FunnelBaseModel", FUNNEL, TYPED),
    pair("funnel-mlm", "FunnelForMaskedLM", FUNNEL, TYPED),
    pair("gpt2", "GPT2Model", {**GPT2, "n_inner": 40}, tokens(), small=True),
    pair("gpt2-lm", "GPT2LMHeadModel", {**GPT2, "n_inner": 40}, tokens()),
    pair("gptj", "GPTJModel", {**GPT2, "n_inner": 40, "rotary_dim": 4}, tokens()),
    pair("gptj-lm", "GPTJForCausalLM", {**GPT2, "n_inner": 40, "rotary_dim": 4}, tokens()),
    pair("groupvit", "GroupViTModel", GROUPVIT, both(tokens(), images(20, 20))),
    pair("groupvit-text", "GroupViTTextModel", GROUPVIT["text_config"], tokens()),
    pair("groupvit-vision", "GroupViTVisionModel", GROUPVIT["vision_config"], images(20, 20)),
    pair("hubert", "HubertModel", WAV2VEC2, floats("input_values", 400)),
    pair("hubert-ctc", "HubertForCTC", STABLE_WAV2VEC2, floats("input_values", 400)),
    pair("idefics", "IdeficsModel", IDEFICS, IDEFICS_INPUTS),
    pair("idefics-lm", "IdeficsForVisionText2Text", IDEFICS, IDEFICS_INPUTS),
    pair("layoutlm", "LayoutLMModel", LAYOUTLM, LAYOUT),
    pair("layoutlm-mlm", "LayoutLMForMaskedLM", LAYOUTLM, LAYOUT),
    pair("layoutlmv3", "LayoutLMv3Model", LAYOUTLMV3, both(LAYOUT, images(20, 20)), lists=BOUNDS),
    pair(
        "layoutlmv3-tokens",
        "LayoutLMv3ForTokenClassification",
        {**LAYOUTLMV3, "num_labels": 5},
        both(LAYOUT, images(20, 20)),
        lists=BOUNDS,
    ),
    pair("led", "LEDModel", LED, SEQ2SEQ),
    pair("longformer", "LongformerModel", {**ROBERTA, "attention_window": 4}, tokens(length=8)),
    pair("longformer-mlm", "LongformerForMaskedLM", {**ROBERTA, "attention_window": 4}, tokens(length=8)),
    pair("lxmert", "LxmertModel", LXMERT, both(TYPED, floats("visual_feats", 6, 14), floats("visual_pos", 6, 4))),
    pair(
        "lxmert-pretraining",
        "LxmertForPreTraining",
        LXMERT,
        both(TYPED, floats("visual_feats", 6, 14), floats("visual_pos", 6, 4)),
    ),
    pair("marian", "MarianModel", BART, SEQ2SEQ),
    pair("marian-lm", "MarianMTModel", BART, SEQ2SEQ),
    pair("mbart", "MBartModel", BART, SEQ2SEQ),
    pair("mbart-lm", "MBartForConditionalGeneration", BART, SEQ2SEQ),
    pair("mistral", "MistralModel", MISTRAL, tokens()),
    pair("mistral-lm", "MistralForCausalLM", MISTRAL, tokens()),
    pair("mobilebert", "MobileBertModel", MOBILEBERT, TYPED),
    pair("mobilebert-mlm", "MobileBertForMaskedLM", MOBILEBERT, TYPED),
    pair("mobilevit", "MobileViTModel", MOBILEVIT, images(64, 64)),
    pair(
        "mobilevit-segmentation",
        "MobileViTForSemanticSegmentation",
        {**MOBILEVIT, "num_labels": 5, "aspp_out_channels": 28},
        images(64, 64),
    ),
    pair("mpnet", "MPNetModel", {**ROBERTA, "relative_attention_num_buckets": 32}, tokens()),
    pair("mpnet-mlm", "MPNetForMaskedLM", {**ROBERTA, "relative_attention_num_buckets": 32}, tokens()),
    pair("mt5", "MT5Model", GATED_T5, SEQ2SEQ),
    pair("mt5-lm", "MT5ForConditionalGeneration", GATED_T5, SEQ2SEQ),
    pair("openai-gpt", "OpenAIGPTModel", GPT2, tokens(), note=ANOTHER_GELU, differs=frozenset({"approximate"})),
    pair(
        "openai-gpt-lm", "OpenAIGPTLMHeadModel", GPT2, tokens(), note=ANOTHER_GELU, differs=frozenset({"approximate"})
    ),
    pair("opt", "OPTModel", OPT, tokens()),
    pair("opt-lm", "OPTForCausalLM", OPT, tokens()),
    pair("pegasus", "PegasusModel", BART, SEQ2SEQ),
    pair("pegasus-lm", "PegasusForConditionalGeneration", BART, SEQ2SEQ),
    pair(
        "rag",
        "RagModel",
        {
            "question_encoder": {**ENCODER, "model_type": "dpr"},
            "generator": {**BART, "model_type": "bart"},
            "n_docs": DOCUMENTS,
        },
        RAG_INPUTS,
        computed=("final_logits_bias",),
        note="documents come ready-made, so the question encoder is not run",
        lists=frozenset({"masked"}),  # on these inputs the PyTorch model leaves a mask of ones out
    ),
    pair("regnet", "RegNetModel", REGNET, images(64, 64)),
    pair("regnet-classification", "RegNetForImageClassification", {**REGNET, "num_labels": 5}, images(64, 64)),
    pair("rembert", "RemBertModel", {**ENCODER, "input_embedding_size": 14}, TYPED),
    pair(
        "rembert-mlm", "RemBertForMaskedLM", {**ENCODER, "input_embedding_size": 14, "output_embedding_size": 18}, TYPED
    ),
    pair("resnet", "ResNetModel", RESNET, images(64, 64)),
    pair(
        "resnet-basic",
        "ResNetForImageClassification",
        {**RESNET, "layer_type": "basic", "num_labels": 5},
        images(64, 64),
    ),
    pair("roberta", "RobertaModel", ROBERTA, tokens()),
    pair("roberta-mlm", "RobertaForMaskedLM", ROBERTA, tokens()),
    pair("roberta-prelayernorm", "RobertaPreLayerNormModel", ROBERTA, tokens()),
    pair("roformer", "RoFormerModel", FACTORISED, TYPED),
    pair("roformer-mlm", "RoFormerForMaskedLM", FACTORISED, TYPED),
    pair("sam", "SamModel", SAM, both(images(24, 24), floats("input_points", 1, 2, 2)), differs=frozenset({"epsilon"})),
    pair("sam-vision", "SamVisionModel", SAM["vision_config"], images(24, 24)),
    pair("segformer", "SegformerModel", SEGFORMER, images(64, 96)),
    pair("segformer-segmentation", "SegformerForSemanticSegmentation", {**SEGFORMER, "num_labels": 5}, images(64, 96)),
    pair("speech-to-text", "Speech2TextModel", SPEECH, both(floats("input_features", 24, 10), DECODER)),
    pair(
        "speech-to-text-lm",
        "Speech2TextForConditionalGeneration",
        SPEECH,
        both(floats("input_features", 24, 10), DECODER),
    ),
    pair("swiftformer", "SwiftFormerModel", SWIFTFORMER, images(64, 64), lists=frozenset({"epsilon"})),
    pair("swin", "SwinModel", SWIN, images(32, 32)),
    pair("swin-classification", "SwinForImageClassification", {**SWIN, "num_labels": 5}, images(32, 32)),
    pair(
        "swin-masked",
        "SwinForMaskedImageModeling",
        {**SWIN, "encoder_stride": 4},
        both(images(32, 32), whole("bool_masked_pos", 2, 256)),
        differs=ANOTHER_LOSS,
    ),
    pair("t5", "T5Model", T5, SEQ2SEQ, small=True),
    pair("t5-lm", "T5ForConditionalGeneration", T5, SEQ2SEQ),
    pair("t5-gated", "T5ForConditionalGeneration", GATED_T5, SEQ2SEQ),
    pair("t5-encoder", "T5EncoderModel", T5, tokens()),
    pair("tapas", "TapasModel", TAPAS, both(tokens(), whole("token_type_ids", 2, LENGTH, 7))),
    pair(
        "vision-encoder-decoder",
        "VisionEncoderDecoderModel",
        {"encoder": {**SMALL_VISION, "model_type": "vit"}, "decoder": BERT_DECODER},
        both(images(20, 20), DECODER),
    ),
    pair(
        "vision-text-dual-encoder",
        "VisionTextDualEncoderModel",
        {
            "vision_config": {**SMALL_VISION, "model_type": "vit"},
            "text_config": {**ENCODER, "model_type": "bert"},
            "projection_dim": 18,
        },
        both(tokens(), images(20, 20)),
    ),
    pair("vit", "ViTModel", VIT, images(20, 20), small=True),
    pair("vit-classification", "ViTForImageClassification", {**VIT, "num_labels": 5}, images(20, 20)),
    pair("vit-mae", "ViTMAEModel", VIT_MAE, both(images(20, 20), floats("noise", 25))),
    pair("vit-mae-pretraining", "ViTMAEForPreTraining", VIT_MAE, both(images(20, 20), floats("noise", 25))),
    pair("wav2vec2", "Wav2Vec2Model", WAV2VEC2, floats("input_values", 400)),
    pair("wav2vec2-ctc", "Wav2Vec2ForCTC", STABLE_WAV2VEC2, floats("input_values", 400)),
    pair("whisper", "WhisperModel", WHISPER, both(floats("input_features", 10, 30), DECODER)),
    pair("whisper-lm", "WhisperForConditionalGeneration", WHISPER, both(floats("input_features", 10, 30), DECODER)),
    pair("xglm", "XGLMModel", XGLM, tokens()),
    pair("xglm-lm", "XGLMForCausalLM", XGLM, tokens()),
    pair("xlm", "XLMModel", XLM, tokens()),
    pair("xlm-lm", "XLMWithLMHeadModel", XLM, tokens()),
    pair("xlm-roberta", "XLMRobertaModel", ROBERTA, tokens()),
    pair("xlm-roberta-mlm", "XLMRobertaForMaskedLM", ROBERTA, tokens()),
    pair("xlnet", "XLNetModel", XLNET, TYPED),
    pair("xlnet-lm", "XLNetLMHeadModel", XLNET, TYPED),
)
