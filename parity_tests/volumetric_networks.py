"""Networks that sample volumes, small, in the structure of those that are published.

Written for these tests after the papers: no line and no weight is anybody else's. What a name
ends in ``Style`` has the steps that matter to a rewrite (what is sampled, by which grid, at which
rank, and what stands around it), and few channels. Random weights: nobody trained them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "CoTrackerStyle",
    "DenseMotionStyle",
    "LivePortraitStyle",
    "Pwc3DStyle",
    "Raft3DStyle",
    "SadTalkerStyle",
    "TapirStyle",
    "VolumetricTransformer",
    "VoxelRadianceField",
]


def _cells(reference: Tensor) -> Tensor:
    """Coordinates of a volume's cells, (1, D, H, W, 3) in x, y, z from -1 to 1 (align corners)."""
    axes = [
        torch.arange(size, dtype=reference.dtype) * (2.0 / (size - 1)) - 1.0
        for size in reference.shape[2:]
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack((x, y, z), dim=-1)[None]


def _middles(length: int, like: Tensor) -> Tensor:
    """Coordinates of the middles of so many cells, from -1 to 1."""
    return (torch.arange(length, dtype=like.dtype) + 0.5) * (2.0 / length) - 1.0


def _convolve(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels, out, 3, stride, 1), nn.GroupNorm(2, out), nn.LeakyReLU(0.2)
    )


class _Hourglass(nn.Module):
    """Down by average pooling, up by nearest neighbours, joined by skips."""

    def __init__(self, channels: int, wide: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(channels, wide, 3, 1, 1), nn.Conv3d(wide, wide, 3, 1, 1)
        self.up, self.norm = nn.Conv3d(wide, wide, 3, 1, 1), nn.BatchNorm3d(wide)
        self.channels = wide + channels

    def forward(self, x: Tensor) -> Tensor:
        down = F.avg_pool3d(F.relu(self.norm(self.first(x))), (1, 2, 2))
        down = F.avg_pool3d(F.relu(self.second(down)), (1, 2, 2))
        up = F.interpolate(self.up(down), scale_factor=(1.0, 4.0, 4.0))
        return torch.cat((F.relu(up), x), 1)


class DenseMotionStyle(nn.Module):
    """Keypoints → a sparse motion each → the volume sampled by all of them → a dense motion."""

    def __init__(self, channels: int = 4, keypoints: int = 3) -> None:
        super().__init__()
        self.compress = nn.Conv3d(channels, 2, 1)
        self.hourglass = _Hourglass((keypoints + 1) * 3)
        self.mask = nn.Conv3d(self.hourglass.channels, keypoints + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.channels * 4, 1, 7, padding=3)

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
        """Volume (N, C, 4, H, W), keypoints (N, K, 3): the deformation and the occlusion."""
        n, _, d, h, w = volume.shape
        k = source.shape[1]
        cells = _cells(volume)
        towards = cells[:, None] - driving[:, :, None, None, None]
        moved = towards + source[:, :, None, None, None]
        motions = torch.cat((cells[:, None].expand(n, 1, d, h, w, 3), moved), 1)
        feature = self.compress(volume)
        repeated = feature[:, None].repeat(1, k + 1, 1, 1, 1, 1).view(n * (k + 1), -1, d, h, w)
        sampled = F.grid_sample(repeated, motions.reshape(-1, d, h, w, 3), align_corners=False)
        sampled = sampled.view(n, k + 1, -1, d, h, w)
        heat = _heat(cells, driving) - _heat(cells, source)
        heat = torch.cat((torch.zeros_like(heat[:, :1]), heat), 1)[:, :, None]
        out = self.hourglass(torch.cat((heat, sampled), 2).flatten(1, 2))
        mask = F.softmax(self.mask(out), 1)[:, :, None]
        deformation = (motions.permute(0, 1, 5, 2, 3, 4) * mask).sum(1).permute(0, 2, 3, 4, 1)
        return deformation, torch.sigmoid(self.occlusion(out.flatten(1, 2)))


def _heat(cells: Tensor, keypoints: Tensor) -> Tensor:
    """A Gaussian around each keypoint, (N, K, D, H, W)."""
    apart = cells[:, None] - keypoints[:, :, None, None, None]
    return torch.exp(-0.5 * (apart**2).sum(-1) / 0.01)


class _Spade(nn.Module):
    """Instance norm, scaled and shifted by what a map says."""

    def __init__(self, channels: int, map_channels: int) -> None:
        super().__init__()
        self.norm, self.shared = nn.InstanceNorm2d(channels), nn.Conv2d(map_channels, 8, 3, 1, 1)
        self.gamma, self.beta = nn.Conv2d(8, channels, 3, 1, 1), nn.Conv2d(8, channels, 3, 1, 1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        guide = F.relu(self.shared(F.interpolate(guide, size=x.shape[2:], mode="nearest")))
        return self.norm(x) * (1 + self.gamma(guide)) + self.beta(guide)


class LivePortraitStyle(nn.Module):
    """Appearance volume, warped by a dense motion; then a SPADE decoder with pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.appearance = nn.Sequential(
            nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 16, 1)
        )
        self.motion = DenseMotionStyle()
        self.flat, self.spade = nn.Conv2d(16, 12, 3, 1, 1), _Spade(12, 16)
        self.shuffle = nn.Sequential(nn.Conv2d(12, 12, 3, 1, 1), nn.PixelShuffle(2))

    def forward(self, image: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        """Image (N, 3, H, W), keypoints (N, K, 3): an image (N, 3, H, W)."""
        flat = self.appearance(image)
        volume = flat.view(flat.shape[0], 4, 4, *flat.shape[2:])
        deformation, occlusion = self.motion(volume, source, driving)
        warped = F.grid_sample(volume, deformation, align_corners=False).flatten(1, 2)
        warped = warped * occlusion
        x = F.leaky_relu(self.spade(self.flat(warped), warped), 0.2)
        return torch.sigmoid(self.shuffle(x))


class SadTalkerStyle(nn.Module):
    """Coefficients over time → head pose and expression → keypoints → the warped face."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(
            nn.Conv1d(5, 8, 7), nn.LeakyReLU(0.1), nn.Conv1d(8, 8, 3, 1, 1), nn.AdaptiveAvgPool1d(1)
        )
        self.angles, self.shift, self.expression = nn.Linear(8, 3), nn.Linear(8, 3), nn.Linear(8, 9)
        self.face = LivePortraitStyle()

    def forward(self, image: Tensor, canonical: Tensor, coefficients: Tensor) -> Tensor:
        """Image (N, 3, H, W), canonical keypoints (N, 3, 3), coefficients (N, 5, T)."""
        code = self.mapping(coefficients)[:, :, 0]
        turned = torch.einsum("nij,nkj->nki", _rotation(self.angles(code)), canonical)
        expression = self.expression(code).view(-1, 3, 3)
        driving = turned + 0.1 * self.shift(code)[:, None] + 0.1 * expression
        return self.face(image, canonical, driving)


def _rotation(angles: Tensor) -> Tensor:
    """(N, 3) angles → (N, 3, 3)."""
    zero, one = torch.zeros_like(angles[:, 0]), torch.ones_like(angles[:, 0])
    (a, b, c), (p, q, r) = torch.cos(angles).unbind(1), torch.sin(angles).unbind(1)
    first = torch.stack((one, zero, zero, zero, a, -p, zero, p, a), 1).view(-1, 3, 3)
    second = torch.stack((b, zero, q, zero, one, zero, -q, zero, b), 1).view(-1, 3, 3)
    third = torch.stack((c, -r, zero, r, c, zero, zero, zero, one), 1).view(-1, 3, 3)
    return first @ second @ third


class TapirStyle(nn.Module):
    """Query features out of a video's feature volume, cost volumes, soft argmax, refinement."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, 1),
        )  # fmt: skip
        self.costs = nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 1, 3, 1, 1))
        self.refine = nn.Sequential(nn.Conv1d(2 * channels + 2, 16, 3, 1, 1), nn.GELU())
        self.update = nn.Conv1d(16, 2, 1)

    def forward(self, video: Tensor, queries: Tensor) -> Tensor:
        """Video (N, T, 3, H, W), queries (N, Q, 3) of t, y, x from -1 to 1: (N, Q, T, 2)."""
        n, t = video.shape[:2]
        maps = self.features(video.flatten(0, 1))
        volume = F.normalize(maps, dim=1).unflatten(0, (n, t)).transpose(1, 2)
        grid = queries.flip(-1)[:, :, None, None]
        feature = F.grid_sample(volume, grid, align_corners=False, padding_mode="border")
        feature = feature[..., 0, 0].transpose(1, 2)
        cost = torch.einsum("nqc,ncthw->nqthw", feature, volume)
        q, h, w = cost.shape[1], cost.shape[3], cost.shape[4]
        heat = self.costs(cost.reshape(n * q * t, 1, h, w)).flatten(1)
        heat = torch.softmax(heat * 10, 1).view(n * q, t, h, w)
        xs, ys = _middles(w, video), _middles(h, video)
        track = torch.stack(((heat.sum(2) * xs).sum(-1), (heat.sum(3) * ys).sum(-1)), -1)
        times = _middles(t, video)
        for _ in range(2):
            times_now = times[None, :, None].expand(n * q, t, 1)
            spot = torch.cat((track, times_now), -1).view(n, q, t, 1, 3)
            seen = F.grid_sample(volume, spot, align_corners=False, padding_mode="border")
            seen = seen[..., 0].permute(0, 2, 1, 3).reshape(n * q, -1, t)
            asked = feature.reshape(n * q, -1, 1).expand(-1, -1, t)
            state = self.refine(torch.cat((seen, asked, track.transpose(1, 2)), 1))
            track = track + 0.1 * self.update(state).transpose(1, 2)
        return track.view(n, q, t, 2)


class CoTrackerStyle(nn.Module):
    """A pyramid by average pooling, features sampled around each track, transformer updates."""

    def __init__(self, channels: int = 8, radius: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, channels, 7, 4, 3), nn.InstanceNorm2d(channels))
        self.embed = nn.Linear(2 * (2 * radius + 1) ** 2 + 2, 16)
        self.time = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.space = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.update, self.radius = nn.Linear(16, 2), radius

    def forward(self, video: Tensor, queries: Tensor) -> Tensor:
        """Video (N, T, 3, H, W), queries (N, Q, 3) of x, y, t from -1 to 1: (N, Q, T, 2)."""
        n, t, q = video.shape[0], video.shape[1], queries.shape[1]
        maps = self.features(video.flatten(0, 1))
        maps = maps / torch.sqrt((maps**2).sum(1, keepdim=True) + 1e-6)
        levels = [maps, F.avg_pool2d(maps, 2, stride=2)]
        volumes = [level.unflatten(0, (n, t)).transpose(1, 2) for level in levels]
        asked = F.grid_sample(
            volumes[0], queries[:, :, None, None], align_corners=True, padding_mode="border"
        )[..., 0, 0]
        track = queries[:, :, None, :2].expand(n, q, t, 2)
        times = torch.arange(t, dtype=video.dtype) * (2.0 / (t - 1)) - 1.0
        side = 0.1 * torch.arange(-self.radius, self.radius + 1, dtype=video.dtype)
        offsets = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).flatten(0, 1)
        for _ in range(2):
            around = track[:, :, :, None] + offsets
            when = times[None, None, :, None, None].expand(*around.shape[:-1], 1)
            grid = torch.cat((around, when), -1)
            found = [
                torch.einsum(
                    "ncqtp,ncq->nqtp",
                    F.grid_sample(volume, grid, align_corners=True, padding_mode="border"),
                    asked,
                )
                for volume in volumes
            ]
            state = self.embed(torch.cat((*found, track - track[:, :, :1]), -1))
            state = self.time(state.flatten(0, 1)).view(n, q, t, -1)
            state = self.space(state.transpose(1, 2).flatten(0, 1)).view(n, t, q, -1)
            track = track + 0.1 * self.update(state.transpose(1, 2))
        return track


class Pwc3DStyle(nn.Module):
    """Coarse to fine: warp, correlate with the neighbours, estimate a flow."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = _convolve(1, 4), _convolve(4, 4, 2)
        self.estimators = nn.ModuleList(nn.Conv3d(7 + 4 + 3, 3, 3, 1, 1) for _ in range(2))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two volumes (N, 1, D, H, W): a flow (N, 3, D, H, W)."""
        fine = self.fine(first), self.fine(second)
        coarse = self.coarse(fine[0]), self.coarse(fine[1])
        flow = torch.zeros_like(coarse[0][:, :3])
        for level, estimator in zip((coarse, fine), self.estimators, strict=True):
            if flow.shape[2:] != level[0].shape[2:]:
                size = level[0].shape[2:]
                flow = F.interpolate(flow, size=size, mode="trilinear", align_corners=True)
            warped = F.grid_sample(
                level[1], _cells(level[1]) + flow.permute(0, 2, 3, 4, 1), align_corners=True
            )
            costs = torch.cat((_correlation(level[0], warped), level[0], flow), 1)
            flow = flow + 0.1 * estimator(F.leaky_relu(costs, 0.1))
        return flow


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    """With the cell itself and its six neighbours, (N, 7, D, H, W)."""
    d, h, w = one.shape[2:]
    padded = F.pad(other, (1, 1, 1, 1, 1, 1))
    steps = ((1, 1, 1), (0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2))
    return torch.stack(
        [(one * padded[:, :, z : z + d, y : y + h, x : x + w]).mean(1) for z, y, x in steps], 1
    )


class Raft3DStyle(nn.Module):
    """Correlation of all pairs, looked up around the current flow by a recurrent unit."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_convolve(1, 4, 2), nn.Conv3d(4, 4, 3, 2, 1))
        self.gate, self.candidate = nn.Conv3d(7 + 3 + 4, 4, 3, 1, 1), nn.Conv3d(14, 4, 3, 1, 1)
        self.update = nn.Conv3d(4, 3, 3, 1, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two volumes (N, 1, D, H, W): a flow (N, 3, D/4, H/4, W/4)."""
        one, other = self.features(first), self.features(second)
        n, c, d, h, w = one.shape
        pairs = torch.einsum("ncp,ncq->npq", one.flatten(2), other.flatten(2)) / c**0.5
        pairs = pairs.reshape(n * d * h * w, 1, d, h, w)
        steps = torch.cat((torch.zeros(1, 3), 0.5 * torch.eye(3), -0.5 * torch.eye(3)))
        hidden, flow = torch.tanh(one), torch.zeros_like(one[:, :3])
        for _ in range(2):
            centres = (_cells(one) + flow.permute(0, 2, 3, 4, 1)).reshape(-1, 1, 1, 1, 3)
            grid = centres + steps.view(1, 7, 1, 1, 3)
            looked = F.grid_sample(pairs, grid, align_corners=True, padding_mode="zeros")
            looked = looked.view(n, d, h, w, 7).permute(0, 4, 1, 2, 3)
            state = torch.cat((looked, flow, hidden), 1)
            gate = torch.sigmoid(self.gate(state))
            hidden = (1 - gate) * hidden + gate * torch.tanh(self.candidate(state))
            flow = flow + 0.1 * self.update(hidden)
        return flow


class VoxelRadianceField(nn.Module):
    """Density and colour grids sampled along rays, and composited front to back."""

    def __init__(self, cells: int = 9, samples: int = 8) -> None:
        super().__init__()
        self.density = nn.Parameter(torch.randn(1, 1, cells, cells, cells))
        self.colour = nn.Parameter(torch.randn(1, 4, cells + 2, cells, cells - 2))
        self.head, self.samples = nn.Linear(4 + 3, 3), samples

    def forward(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Rays (R, 3): colours (R, 3) and depths (R,)."""
        depths = torch.linspace(0.0, 2.0, self.samples)
        points = origins[:, None] + directions[:, None] * depths[:, None]
        grid = points[None, None]
        density = F.grid_sample(self.density, grid, align_corners=True)[0, 0, 0]
        feature = F.grid_sample(self.colour, grid, mode="bilinear", align_corners=True)
        feature = feature[0, :, 0].permute(1, 2, 0)
        towards = directions[:, None].expand(-1, self.samples, -1)
        colour = torch.sigmoid(self.head(torch.cat((feature, towards), -1)))
        thickness = F.softplus(density) * (2.0 / self.samples)
        before = torch.cumsum(thickness, -1) - thickness
        weights = torch.exp(-before) * (1 - torch.exp(-thickness))
        return (weights[..., None] * colour).sum(1), (weights * depths).sum(1)


class VolumetricTransformer(nn.Module):
    """A spatial transformer: a small network finds an affine map, the volume is sampled by it."""

    def __init__(self, mode: str = "bilinear", padding: str = "zeros") -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(2, 8, 3, 1, 1), nn.MaxPool3d(2), nn.ReLU(), nn.AdaptiveAvgPool3d(1)
        )
        self.affine, self.mode, self.padding = nn.Linear(8, 12), mode, padding

    def forward(self, volume: Tensor) -> Tensor:
        """Volume (N, 2, D, H, W): one of the same shape."""
        step = 0.2 * self.affine(self.features(volume).flatten(1)).view(-1, 3, 4)
        grid = F.affine_grid(torch.eye(3, 4) + step, list(volume.shape), align_corners=False)
        return F.grid_sample(
            volume, grid, mode=self.mode, padding_mode=self.padding, align_corners=False
        )
