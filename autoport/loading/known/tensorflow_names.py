"""Functions and operations of TensorFlow that a file may name.

They compute numbers from numbers, call functions of the same file, or keep variables. What is missing here is asked
for with `--trust-code`: what reads, writes or sends, and also what does no harm and has no counterpart in a model of
PyTorch, as taking texts and images apart or looking words up.
"""

from __future__ import annotations

from collections.abc import Iterator


def _in(module: str, names: str) -> Iterator[str]:
    """Names of a module of TensorFlow, also as version 1 had it."""
    for name in names.split():
        place = f"{module}.{name}".lstrip(".")
        yield place
        yield f"compat.v1.{place}"


# Functions that the layers of Keras 2 for functions of TensorFlow may name, as `math.add`.
FUNCTIONS = frozenset(
    [
        *_in("__operators__", "add eq getitem ne ragged_getitem"),
        *_in("bitwise", "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift"),
        *_in(
            "",
            """
            abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space bitcast
            boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast clip_by_norm clip_by_value
            complex concat constant convert_to_tensor cos cosh cumsum divide einsum ensure_shape equal exp expand_dims
            extract_volume_patches eye fill floor gather gather_nd greater greater_equal identity less less_equal
            linspace logical_and logical_not logical_or matmul maximum meshgrid minimum multiply negative norm not_equal
            one_hot ones ones_like pad parallel_stack pow range rank realdiv reduce_all reduce_any reduce_logsumexp
            reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse reverse_sequence roll round
            saturate_cast scalar_mul scatter_nd searchsorted sequence_mask shape shape_n sigmoid sign sin sinh size
            slice sort space_to_batch space_to_batch_nd split sqrt square squeeze stack stop_gradient strided_slice
            subtract tan tanh tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
            tensor_scatter_nd_update tensordot tile transpose truediv truncatediv truncatemod unique unstack where
            where_v2 zeros zeros_like
            """,
        ),
        *_in(
            "math",
            """
            abs accumulate_n acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh bessel_i0 bessel_i0e
            bessel_i1 bessel_i1e betainc bincount ceil conj cos cosh count_nonzero cumprod cumsum cumulative_logsumexp
            digamma divide divide_no_nan equal erf erfc erfcinv erfinv exp expm1 floor floordiv floormod greater
            greater_equal igamma igammac imag in_top_k is_finite is_inf is_nan l2_normalize lbeta less less_equal lgamma
            log log1p log_sigmoid log_softmax logical_and logical_not logical_or logical_xor maximum minimum mod
            multiply multiply_no_nan ndtri negative nextafter not_equal polygamma polyval pow real reciprocal
            reciprocal_no_nan reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean
            reduce_min reduce_prod reduce_std reduce_sum reduce_variance rint round rsqrt scalar_mul segment_max
            segment_mean segment_min segment_prod segment_sum sigmoid sign sin sinh softmax softplus softsign sqrt
            square squared_difference subtract tan tanh top_k truediv unsorted_segment_max unsorted_segment_mean
            unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum xdivy xlog1py xlogy
            zero_fraction zeta
            """,
        ),
        *_in(
            "nn",
            """
            atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d batch_normalization bias_add
            conv1d conv1d_transpose conv2d conv2d_transpose conv3d conv3d_transpose conv_transpose convolution crelu
            depth_to_space depthwise_conv2d dilation2d dropout elu embedding_lookup erosion2d gelu l2_loss l2_normalize
            leaky_relu local_response_normalization log_softmax lrn max_pool max_pool1d max_pool2d max_pool3d
            max_pool_with_argmax moments normalize_moments pool relu relu6 selu separable_conv2d sigmoid silu softmax
            softplus softsign space_to_batch space_to_depth swish tanh top_k zero_fraction
            """,
        ),
        *_in(
            "linalg",
            """
            adjoint band_part cholesky cholesky_solve cross det diag diag_part eigh eigvalsh einsum expm eye inv
            l2_normalize logdet lstsq lu matmul matrix_transpose matvec norm normalize pinv qr set_diag slogdet solve
            sqrtm svd tensor_diag tensor_diag_part tensordot trace triangular_solve
            """,
        ),
        *_in(
            "image",
            """
            adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype
            crop_and_resize crop_to_bounding_box extract_patches flip_left_right flip_up_down grayscale_to_rgb
            hsv_to_rgb pad_to_bounding_box per_image_standardization resize resize_bicubic resize_bilinear
            resize_nearest_neighbor resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq
            rgb_to_yuv rot90 sobel_edges transpose yiq_to_rgb yuv_to_rgb
            """,
        ),
        *_in("signal", "dct fft fft2d fft3d fftshift frame idct ifft ifft2d ifft3d ifftshift irfft rfft stft"),
    ]
)

_PLUMBING = """
    Assert Case Const ControlTrigger Enter Exit FakeParam GuaranteeConst Identity IdentityN If LoopCond Merge
    NextIteration NoOp PartitionedCall Placeholder PlaceholderV2 PlaceholderWithDefault PreventGradient
    StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StopGradient Switch ToBool While
    Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp DestroyResourceOp
    DisableCopyOnRead IsVariableInitialized ReadVariableOp ResourceGather ResourceGatherNd ResourceScatterAdd
    ResourceScatterUpdate ResourceStridedSliceAssign VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
    EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3
    TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcatV2 TensorListElementShape
    TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
    TensorListReserve TensorListResize TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem
    TensorListSplit TensorListStack
"""
_ARRAYS = """
    BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo CheckNumerics CheckNumericsV2
    Concat ConcatOffset ConcatV2 ConjugateTranspose DepthToSpace Dequantize Diag DiagPart DynamicPartition DynamicStitch
    Empty EnsureShape ExpandDims ExtractImagePatches ExtractVolumePatches FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Gather GatherNd GatherV2 InplaceAdd InplaceSub
    InplaceUpdate InvertPermutation ListDiff LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2
    MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad MirrorPadGrad
    OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch QuantizeAndDequantize QuantizeAndDequantizeV2
    QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 Rank Reshape Reverse ReverseSequence ReverseV2 ScatterNd
    Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze StridedSlice StridedSliceGrad
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate
    Tile Transpose Unique UniqueV2 Unpack UnravelIndex UpperBound Where ZerosLike
"""
_NUMBERS = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh
    BatchMatMul BatchMatMulV2 BatchMatMulV3 BesselI0 BesselI0e BesselI1 BesselI1e Betainc Bincount BitwiseAnd BitwiseOr
    BitwiseXor Bucketize Cast Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp
    DenseBincount Digamma Div DivNoNan Einsum Equal Erf Erfc Erfinv EuclideanNorm Exp Expint Expm1 Floor FloorDiv
    FloorMod Greater GreaterEqual HistogramFixedWidth Igamma IgammaGradA Igammac Imag Inv InvGrad Invert IsFinite IsInf
    IsNan LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min
    Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow Prod Range Real RealDiv
    Reciprocal ReciprocalGrad RightShift Rint Roll Round Rsqrt RsqrtGrad SegmentMax SegmentMean SegmentMin SegmentProd
    SegmentSum Select SelectV2 Sigmoid SigmoidGrad Sign Sin Sinh SparseMatMul SparseSegmentMean SparseSegmentSum Spence
    Sqrt SqrtGrad Square SquaredDifference Sub Sum Tan Tanh TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta
    BandedTriangularSolve Cholesky Eig LogMatrixDeterminant Lu MatrixDeterminant MatrixExponential MatrixInverse
    MatrixLogarithm MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Qr SelfAdjointEigV2 Svd
    TridiagonalMatMul TridiagonalSolve
    FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D RFFTND
"""
_NETWORKS = """
    ApproxTopK AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 Conv Conv2D Conv2DBackpropFilter
    Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInput Conv3DBackpropInputV2
    CudnnRNN CudnnRNNV2 CudnnRNNV3 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dilation2D Elu EluGrad FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    FusedPadConv2D FusedResizeAndPadConv2D InTopK InTopKV2 L2Loss LRN LeakyRelu LeakyReluGrad LogSoftmax MaxPool
    MaxPool3D MaxPoolV2 MaxPoolWithArgmax NthElement Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax
    SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SparseSoftmaxCrossEntropyWithLogits TopK TopKV2
    AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize HSVToRGB ImageProjectiveTransformV2
    ImageProjectiveTransformV3 RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
    Multinomial RandomGamma RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
    StatelessMultinomial StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
    StatelessTruncatedNormalV2 TruncatedNormal
"""
# What training runs: SavedModels hold the gradients of recurrent layers, and states of random generators.
_TRAINING = """
    AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalizationGrad BiasAddGrad CholeskyGrad Conv2DBackpropFilterV2
    CropAndResizeGradBoxes CropAndResizeGradImage CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3
    DepthwiseConv2dNativeBackpropFilter Dilation2DBackpropFilter Dilation2DBackpropInput FusedBatchNormGrad
    FusedBatchNormGradV2 FusedBatchNormGradV3 LRNGrad MaxPool3DGrad MaxPoolGrad MaxPoolGradV2 MaxPoolGradWithArgmax
    OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone RandomGammaGrad ResizeBicubicGrad
    ResizeBilinearGrad ResizeNearestNeighborGrad ScaleAndTranslateGrad SegmentMaxV2 SegmentMinV2 SegmentProdV2
    SegmentSumV2 SoftsignGrad SparseSegmentMeanGrad SparseSegmentSumGrad TensorArrayGradV3 TileGrad
    ResourceApplyAdaMax ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdagradV2 ResourceApplyAdam
    ResourceApplyAdamWithAmsgrad ResourceApplyFtrlV2 ResourceApplyGradientDescent ResourceApplyKerasMomentum
    ResourceApplyMomentum ResourceApplyRMSProp ResourceSparseApplyAdagrad ResourceSparseApplyAdagradV2
    ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum ResourceSparseApplyRMSProp
    RngReadAndSkip RngSkip StatefulRandomBinomial StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
    StatefulUniformFullInt StatefulUniformInt
"""
# Operations that a SavedModel may run.
OPERATIONS = frozenset((_PLUMBING + _ARRAYS + _NUMBERS + _NETWORKS + _TRAINING).split())
# Those that save and restore it, which nothing that is run may reach.
SAVING = frozenset(
    {
        "MergeV2Checkpoints",
        "RegexFullMatch",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    }
)
