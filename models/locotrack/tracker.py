"""LocoTrack, assembled: grids → query features → initial tracks → refinements.

Paper: arXiv 2407.15420; the computation is written out in the project's spec/model.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from locoexport.models.locotrack.config import SUPPORT_SIDE, TrackerConfig
from locoexport.models.locotrack.correlation import (
    TEMPERATURE,
    CorrelationNetwork,
    correlate_globally,
)
from locoexport.models.locotrack.efficientnet import EfficientNetFeatures
from locoexport.models.locotrack.operations import REFERENCE, Operations
from locoexport.models.locotrack.parts import Part
from locoexport.models.locotrack.refinement import (
    MotionTransformer,
    Remembered,
    attention_bias,
    encode_positions,
    relative_motion,
)
from locoexport.models.locotrack.resnet import ResNetFeatures
from locoexport.models.locotrack.resolutions import check_levels, default_resolutions
from locoexport.models.locotrack.states import (
    ByLevel,
    Estimate,
    FeatureGrids,
    TrackingResult,
    count_frames,
)

__all__ = ["ByLevel", "FeatureGrids", "LocoTrack", "TrackingResult"]

_SMALLEST_SQUARED_NORM = 1e-12
_LEVELS = ("hires", "lowres", "highest")
"""The order of ``cmdtop`` and of everything that is concatenated by level."""

Value = TypeVar("Value")


class LocoTrack(nn.Module):
    """A point tracker: video and query points in, tracks, occlusion and uncertainty out.

    Attribute names of the children are those of the published checkpoints.
    """

    def __init__(self, config: TrackerConfig, operations: Operations = REFERENCE) -> None:
        """Freshly initialised; see ``create_model`` and ``load_checkpoint`` for weights."""
        super().__init__()
        self.config = config
        self.operations = operations
        if config.backbone.family == "resnet":
            self.resnet_torch = ResNetFeatures(config.backbone)
        else:
            self.efficientnet_feature_extractor = EfficientNetFeatures(config.backbone)
        self.torch_pips_mixer = MotionTransformer(
            config.transformer_inputs, config.transformer_outputs, config.transformer, config.gelu
        )
        self.cmdtop = nn.ModuleList(CorrelationNetwork(config.correlation) for _ in _LEVELS)
        self.cost_conv = nn.Conv2d(2, 1, 3, padding=1)
        self.occ_linear = nn.Linear(6, 2)
        self.parts = _name_parts(config.refinements)

    @property
    def backbone(self) -> EfficientNetFeatures | ResNetFeatures:
        """The feature extractor, whatever its family."""
        if self.config.backbone.family == "resnet":
            return self.resnet_torch
        return self.efficientnet_feature_extractor

    def with_operations(self, operations: Operations) -> LocoTrack:
        """A new model over the SAME weights that computes with other operations."""
        with torch.device("meta"):
            twin = LocoTrack(self.config, operations)
        for name, child in self.named_children():
            if name != "parts":
                setattr(twin, name, child)
        return twin.train(self.training)

    def forward(
        self,
        video: Tensor,
        query_points: Tensor,
        refinement_resolutions: Sequence[tuple[int, int]] | None = None,
    ) -> TrackingResult:
        """Track ``query_points`` through ``video``.

        Args:
            video: (B, T, H, W, 3) float in [-1, 1].
            query_points: (B, N, 3) as (t, y, x), t a frame index, y x in pixels of the video.
            refinement_resolutions: (height, width) of each level, multiples of 8; by default those
                of the configuration, else from the initial resolution up to the video's. Only the
                first and the last are computed: nothing reads those between.

        Raises:
            ValueError: a level is no multiple of 8.
        """
        video_hw = (video.shape[2], video.shape[3])
        if refinement_resolutions is None:
            refinement_resolutions = self.config.refinement_resolutions
        levels = check_levels(
            default_resolutions(video_hw, self.config.resolution_hw)
            if refinement_resolutions is None
            else refinement_resolutions
        )
        first, last = self.extract_levels(video, (levels[0], levels[-1]))
        return self.track(first, last, query_points, video_hw)

    def track_resized(self, video: Tensor, query_points: Tensor) -> TrackingResult:
        """The resize-first path: a video that already has the working resolution.

        This is what an exported graph computes; sizes are taken from the configuration alone.
        """
        first, last = self.extract_levels(video, self.config.levels, resize=False)
        return self.track(first, last, query_points, self.config.working_hw)

    def extract_levels(
        self,
        video: Tensor,
        levels: tuple[tuple[int, int], tuple[int, int]],
        *,
        resize: bool = True,
    ) -> tuple[FeatureGrids, FeatureGrids]:
        """The grids of the first and of the last level; the same ones where the levels are.

        Each level is resized from ``video`` itself, (B, T, H, W, 3). With ``resize`` False it has
        the last level's size already.
        """
        last = self.extract_features(video, levels[1], resize=resize)
        if levels[0] == levels[1]:
            return last, last
        return self.extract_first_features(video, levels[0]), last

    def extract_features(
        self, video: Tensor, resolution_hw: tuple[int, int], *, resize: bool = True
    ) -> FeatureGrids:
        """The grids of every frame: (B, T, H, W, 3) → normalised (B, T, h, w, C) grids.

        ``video`` is float in [-1, 1], or uint8 where it is resized.
        """
        features: FeatureGrids = self._part("encoder")(
            self._extract_features, video, resolution_hw, resize
        )
        return features

    def extract_first_features(self, video: Tensor, resolution_hw: tuple[int, int]) -> FeatureGrids:
        """``extract_features`` of the first level, where it is not the last one as well."""
        features: FeatureGrids = self._part("first_encoder")(
            self._extract_features, video, resolution_hw, True
        )
        return features

    def features_of(self, grids: ByLevel[Tensor], resolution_hw: tuple[int, int]) -> FeatureGrids:
        """Grids that were extracted before, at that resolution."""
        sizes_hw = _by_level(*self.backbone.grid_sizes(*resolution_hw))
        return FeatureGrids(grids, sizes_hw, resolution_hw)

    def grid_shapes(
        self, resolution_hw: tuple[int, int] | None = None
    ) -> ByLevel[tuple[int, int, int]]:
        """(h, w, channels) of every grid at that resolution, by default the working one."""
        resolution_hw = resolution_hw or self.config.working_hw
        taps = self.config.backbone
        sizes = _by_level(*self.backbone.grid_sizes(*resolution_hw))
        channels = (taps.hires.channels, taps.lowres.channels, taps.highest.channels)
        return ByLevel(*((h, w, c) for (h, w), c in zip(sizes, channels, strict=True)))

    def track(
        self,
        first: FeatureGrids,
        last: FeatureGrids,
        query_points: Tensor,
        video_hw: tuple[int, int],
    ) -> TrackingResult:
        """Tracks from the grids of the first and of the last level."""
        supports = self.sample_supports(last, query_points, video_hw)
        initial_supports = (
            supports if last is first else self.sample_first_supports(first, query_points, video_hw)
        )
        return self.track_supports(first, last, initial_supports, supports, query_points, video_hw)

    def sample_supports(
        self, features: FeatureGrids, query_points: Tensor, video_hw: tuple[int, int]
    ) -> ByLevel[Tensor]:
        """The 7×7 support of every query in each grid: (B, N, 49, C)."""
        supports = self._part("query_sampling")(
            self._sample_supports, features, query_points, video_hw, len(_LEVELS)
        )
        return ByLevel(*supports)

    def sample_first_supports(
        self, features: FeatureGrids, query_points: Tensor, video_hw: tuple[int, int]
    ) -> ByLevel[Tensor]:
        """``sample_supports`` of the first level, where it is not the last one as well.

        Nothing reads its finest grid: the coarsest one's support stands in that place.
        """
        hires, lowres = self._part("first_query_sampling")(
            self._sample_supports, features, query_points, video_hw, 2
        )
        return ByLevel(hires, lowres, highest=lowres)

    def track_supports(
        self,
        first: FeatureGrids,
        last: FeatureGrids,
        initial_supports: ByLevel[Tensor],
        supports: ByLevel[Tensor],
        query_points: Tensor,
        video_hw: tuple[int, int],
    ) -> TrackingResult:
        """Tracks of supports that were sampled before, from grids of any clip.

        ``query_points`` only say on which frame a point is where; where the supports come from
        another clip, no frame of this one need be theirs.
        """
        estimate = self._part("cost_volume")(
            self.initialise, first, initial_supports, query_points, video_hw
        )
        frame_indices = count_frames(last.grids.hires)
        bias = attention_bias(frame_indices, self.config.transformer.heads)
        feature = self.initial_feature(supports, estimate.occlusion)
        prepared = ByLevel(*(self.operations.prepare_grid(grid) for grid in last.grids))
        history = []
        for iteration in range(self.config.refinements):
            history.append(estimate)
            # Each refinement learns to mend what it is given, not to change what was given.
            given = estimate.detached() if torch.is_grad_enabled() else estimate
            estimate, feature = self._part(f"refinement_{iteration}")(
                self._refine, last, prepared, supports, given, feature, bias
            )
        return TrackingResult.of(estimate, history, self.config.resolution_hw, video_hw)

    def _part(self, name: str) -> Part:
        part = self.parts[name]
        assert isinstance(part, Part)
        return part

    def _extract_features(
        self, video: Tensor, resolution_hw: tuple[int, int], resize: bool
    ) -> FeatureGrids:
        frames = video.flatten(0, 1)
        images = (
            self.operations.resize_frames(frames, resolution_hw)
            if resize
            else frames.permute(0, 3, 1, 2)
        )  # (B·T, 3, H, W)
        grids = [_normalise(grid, video) for grid in self.backbone(images, resolution_hw)]
        sizes_hw = self.backbone.grid_sizes(*resolution_hw)
        return FeatureGrids(_by_level(*grids), _by_level(*sizes_hw), resolution_hw)

    def _sample_supports(
        self,
        features: FeatureGrids,
        query_points: Tensor,
        video_hw: tuple[int, int],
        grids: int,
    ) -> tuple[Tensor, ...]:
        """Of the first so many grids, in the order of ``cmdtop``."""
        supports = []
        pairs = list(zip(features.grids, features.sizes_hw, strict=True))
        for grid, size_hw in pairs[:grids]:
            scale = query_points.new_tensor(
                [1.0, size_hw[0] / video_hw[0], size_hw[1] / video_hw[1]]
            )
            supports.append(self.operations.sample_supports(grid, query_points * scale, size_hw))
        return tuple(supports)

    def initialise(
        self,
        features: FeatureGrids,
        supports: ByLevel[Tensor],
        query_points: Tensor,
        video_hw: tuple[int, int],
    ) -> Estimate:
        """Cost volume, soft-argmax and first logits (spec/model.md, section 3)."""
        centre = SUPPORT_SIDE**2 // 2
        grids, size_hw = features.grids, features.sizes_hw.hires
        low = correlate_globally(
            supports.lowres[:, :, centre], grids.lowres, features.sizes_hw.lowres
        )
        high = correlate_globally(supports.hires[:, :, centre], grids.hires, size_hw)
        low = self.operations.resize_planes(low.flatten(0, 2), size_hw)
        costs = torch.stack((low, high.flatten(0, 2)), 1)  # (B·N·T, 2, h, w)
        heatmaps = self.cost_conv(costs)[:, 0]
        if self.config.softmax_temperature != TEMPERATURE:
            # ``soft_argmax`` has the published temperature; another one is a scale before it.
            heatmaps = heatmaps * (self.config.softmax_temperature / TEMPERATURE)
        peaks = self.operations.soft_argmax(heatmaps, size_hw)  # (B·N·T, 2) in cells
        initial_hw = self.config.resolution_hw
        to_initial = peaks.new_tensor([initial_hw[1] / size_hw[1], initial_hw[0] / size_hw[0]])
        sizes = (*high.shape[:3], 2)  # (B, N, T, 2)
        positions = (peaks * to_initial).reshape(sizes)
        positions = self._pin_queries(positions, query_points, video_hw, count_frames(grids.hires))
        flat = costs.flatten(2)
        summary = torch.cat((flat.mean(-1), flat.amax(-1), flat.amin(-1)), -1)  # (B·N·T, 6)
        logits = self.occ_linear(summary).reshape(sizes)
        return Estimate(positions, logits[..., 0], logits[..., 1])

    def _pin_queries(
        self,
        positions_xy: Tensor,
        query_points: Tensor,
        video_hw: tuple[int, int],
        frame_indices: Tensor,
    ) -> Tensor:
        """On its own frame a point is where the query says."""
        initial_hw = self.config.resolution_hw
        scale = query_points.new_tensor([initial_hw[1] / video_hw[1], initial_hw[0] / video_hw[0]])
        asked = query_points[..., [2, 1]] * scale  # (B, N, 2) as (x, y)
        # torch.round is half to even: 0.5 → 0, 1.5 → 2.
        own_frame = torch.round(query_points[..., :1]) == frame_indices  # (B, N, T)
        return torch.where(own_frame[..., None], asked[:, :, None], positions_xy)

    def initial_feature(self, supports: ByLevel[Tensor], like: Tensor) -> Tensor | None:
        """The running feature (B, N, T, C), or None where the transformer does not read it."""
        if not self.config.feeds_features:
            return None
        centre = SUPPORT_SIDE**2 // 2
        feature = torch.cat([support[:, :, centre] for support in supports], -1)
        return feature[:, :, None].expand(-1, -1, like.shape[2], -1)

    def _refine(
        self,
        features: FeatureGrids,
        prepared: ByLevel[Tensor],
        supports: ByLevel[Tensor],
        estimate: Estimate,
        feature: Tensor | None,
        bias: Tensor,
    ) -> tuple[Estimate, Tensor | None]:
        """One refinement (spec/model.md, section 4)."""
        embeddings = self.embed(features, prepared, supports, estimate.positions_xy)
        motion = relative_motion(estimate.positions_xy)
        inputs = self._transformer_inputs(features, embeddings, estimate, feature, motion)
        changes = self.torch_pips_mixer(
            inputs.flatten(0, 1), bias, self.operations.attend
        )  # (B·N, T, 4 + C)
        changes = changes.reshape(*estimate.positions_xy.shape[:3], changes.shape[-1])
        return self.apply_changes(features, estimate, feature, changes)

    def embed(
        self,
        features: FeatureGrids,
        prepared: ByLevel[Tensor],
        supports: ByLevel[Tensor],
        positions_xy: Tensor,
    ) -> list[Tensor]:
        """Embeddings of the local correlation around every position, (B, N, T, C) a level."""
        return [
            self._part(f"correlation_{level}")(
                self._correlate, network, grid, size_hw, support, positions_xy
            )
            for level, network, grid, size_hw, support in zip(
                _LEVELS, self.cmdtop, prepared, features.sizes_hw, supports, strict=True
            )
        ]

    def follow(
        self,
        features: FeatureGrids,
        embeddings: list[Tensor],
        estimate: Estimate,
        feature: Tensor | None,
        steps_xy: Tensor,
        past: Sequence[Remembered],
        bias: Tensor,
    ) -> tuple[Tensor, list[Remembered]]:
        """What the transformer would change in the newest frame, and what is to be remembered.

        The changes are (B, N, 1, 4 + C).

        ``steps_xy`` (B, N, 1, 2) are from the frame before; the rest is ``MotionTransformer``'s.
        """
        motion = torch.cat((torch.zeros_like(steps_xy), steps_xy), -1)
        inputs = self._transformer_inputs(features, embeddings, estimate, feature, motion)
        changes, remembered = self.torch_pips_mixer.follow(
            inputs.flatten(0, 1), past, bias, self.operations.attend
        )
        return changes.reshape(*estimate.positions_xy.shape[:3], changes.shape[-1]), remembered

    def apply_changes(
        self, features: FeatureGrids, estimate: Estimate, feature: Tensor | None, changes: Tensor
    ) -> tuple[Estimate, Tensor | None]:
        """The next state, and the running feature that goes with it."""
        initial_hw, resized_hw = self.config.resolution_hw, features.resolution_hw
        to_initial = changes.new_tensor(
            [initial_hw[1] / resized_hw[1], initial_hw[0] / resized_hw[0]]
        )
        refined = Estimate(
            estimate.positions_xy + changes[..., :2] * to_initial,
            estimate.occlusion + changes[..., 2],
            estimate.expected_dist + changes[..., 3],
        )
        return refined, None if feature is None else feature + changes[..., 4:]

    def _correlate(
        self,
        network: nn.Module,
        grid: Tensor,
        size_hw: tuple[int, int],
        support: Tensor,
        positions_xy: Tensor,
    ) -> Tensor:
        """Embedding of the local correlation at one level: (B, N, T, C)."""
        (height, width), initial_hw = size_hw, self.config.resolution_hw
        scale = positions_xy.new_tensor([width / initial_hw[1], height / initial_hw[0]])
        neighbourhoods = self._part("sampling")(
            self.operations.sample_neighbourhoods, grid, positions_xy * scale, size_hw
        )
        embedding: Tensor = self._part("cmdtop")(
            self.operations.embed_correlation, network, neighbourhoods, support
        )
        return embedding.reshape(*positions_xy.shape[:3], embedding.shape[-1])

    def _transformer_inputs(
        self,
        features: FeatureGrids,
        embeddings: list[Tensor],
        estimate: Estimate,
        feature: Tensor | None,
        motion: Tensor,
    ) -> Tensor:
        """(B, N, T, inputs) in the variant's own order; ``motion`` is ``relative_motion``'s."""
        initial_hw, resized_hw = self.config.resolution_hw, features.resolution_hw
        x_scale = resized_hw[1] / initial_hw[1] / initial_hw[1]
        y_scale = resized_hw[0] / initial_hw[0] / initial_hw[0]
        motion = encode_positions(motion * motion.new_tensor([x_scale, y_scale] * 2))
        logits = [estimate.occlusion[..., None], estimate.expected_dist[..., None]]
        if self.config.motion_first:
            inputs = [motion, *logits, *embeddings]
        else:
            inputs = [*logits, *embeddings, motion]
        if feature is not None:
            inputs.append(feature)
        return torch.cat(inputs, -1)


def _name_parts(refinements: int) -> nn.ModuleDict:
    names = ["encoder", "first_encoder", "query_sampling", "first_query_sampling", "cost_volume"]
    names += [f"refinement_{iteration}" for iteration in range(refinements)]
    names += [f"correlation_{level}" for level in _LEVELS] + ["sampling", "cmdtop"]
    return nn.ModuleDict({name: Part() for name in names})


def _by_level(highest: Value, hires: Value, lowres: Value) -> ByLevel[Value]:
    """From the backbone's order, finest first."""
    return ByLevel(hires=hires, lowres=lowres, highest=highest)


def _normalise(grid: Tensor, video: Tensor) -> Tensor:
    """(B·T, C, h, w) → (B, T, h, w, C) divided by the L2 norm over C."""
    squared = grid.square().sum(1, keepdim=True)
    normalised = grid / squared.clamp(min=_SMALLEST_SQUARED_NORM).sqrt()
    normalised = normalised.permute(0, 2, 3, 1)
    # reshape, not unflatten: a traced unflatten holds the batch size as a constant.
    return normalised.reshape(*video.shape[:2], *normalised.shape[1:])
