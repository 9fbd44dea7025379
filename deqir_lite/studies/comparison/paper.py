"""The numbers of the paper's Tables 1, 2, 3 and 5, for photos of 256 x 256 pixels."""

from typing import NamedTuple


class PaperRow(NamedTuple):
    """``data``: which photos and prior; ``nfe``: the paper's NFEs or iterations, None where it says
    none; ``values`` of the columns, None for the paper's dashes."""

    data: str
    method: str
    nfe: int | None
    values: tuple[float | None, ...]


class PaperTable(NamedTuple):
    """``columns``: (task, number), in the paper's order; ``of_networks``: it is about networks that
    were trained for its task, and stands below rows of such."""

    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[PaperRow, ...]
    of_networks: bool = False

    @property
    def tasks(self) -> list[str]:
        """In their order."""
        return list(dict.fromkeys(task for task, _ in self.columns))


def columns_of(*tasks: str) -> tuple[tuple[str, str], ...]:
    """The usual ones: PSNR, SSIM and LPIPS of each task."""
    return tuple((task, number) for task in tasks for number in ("psnr", "ssim", "lpips"))


def _rows(text: str) -> tuple[PaperRow, ...]:
    made = []
    for line in text.strip().splitlines():
        data, method, nfe, *values = line.split()
        numbers = tuple(None if value == "-" else float(value) for value in values)
        made.append(PaperRow(data, method, None if nfe == "-" else int(nfe), numbers))
    return tuple(made)


_RESTORATION = """
ImageNet  Baseline    -  29.63 .875 .165  25.15 .699 .351  18.22 .529 .433  20.86 .544 .480
ImageNet  DGP      1500  22.32 .583 .426  18.35 .398 .529  21.81 .522 .472  20.77 .459 .504
ImageNet  DPS      1000  22.40 .597 .405  20.34 .488 .464  22.04 .569 .394  21.82 .561 .381
ImageNet  ILVR      100  23.36 .613 .334  22.76 .583 .383      -    -    -      -    -    -
ImageNet  DiffPIR   100  27.16 .790 .214  24.31 .649 .350  25.32 .673 .296  23.37 .535 .439
ImageNet  DDRM       20  31.43 .906 .117  26.21 .745 .288  40.70 .978 .040  37.69 .964 .057
ImageNet  DDNM      100  31.81 .908 .097  26.49 .753 .266  43.83 .989 .018  38.40 .970 .038
ImageNet  DeqIR      15  32.35 .913 .082  27.47 .781 .230  43.42 .987 .021  39.47 .973 .036
CelebA-HQ Baseline    -  35.87 .953 .099  30.12 .857 .240  18.94 .704 .337  23.16 .727 .354
CelebA-HQ DGP      1500  28.61 .809 .279  25.25 .690 .405  27.02 .738 .372  25.73 .663 .426
CelebA-HQ DPS      1000  28.71 .818 .219  25.01 .710 .282  27.56 .775 .229  26.91 .754 .234
CelebA-HQ ILVR      100  27.31 .783 .234  27.09 .775 .245      -    -    -      -    -    -
CelebA-HQ DiffPIR   100  32.51 .882 .156  28.60 .795 .228  30.63 .835 .197  29.32 .802 .232
CelebA-HQ DDRM       20  36.76 .953 .074  31.91 .880 .149  43.06 .983 .036  41.27 .976 .053
CelebA-HQ DDNM      100  36.37 .950 .065  31.86 .876 .136  46.99 .991 .021  43.43 .983 .037
CelebA-HQ DeqIR      15  36.63 .954 .062  32.22 .889 .155  47.18 .992 .019  43.57 .984 .036
"""

_INPAINTING = """
CelebA-HQ Baseline    -  14.55 .642 .515   9.02 .131 .730
CelebA-HQ Palette     -  38.09 .978 .027  25.91 .733 .343
CelebA-HQ DDRM        -  37.25 .969 .223  34.34 .933 .223
CelebA-HQ RePaint     -  38.54 .974 .039  36.25 .951 .086
CelebA-HQ DDNM        -  39.45 .980 .023  36.75 .957 .076
CelebA-HQ DeqIR       -  39.72 .981 .026  36.99 .948 .091
"""

_COLORIZATION = """
ImageNet  Baseline    -   0.00 .196 90.93
ImageNet  DGP         -      - .256 99.86
ImageNet  DDRM        -  265.08 .223 79.42
ImageNet  DDNM        -  45.07 .186 77.21
ImageNet  DeqIR       -  43.15 .171 70.94
CelebA-HQ Baseline    -   0.00 .210 70.69
CelebA-HQ DGP         -      - .218 73.24
CelebA-HQ DDRM        -  472.25 .245 57.29
CelebA-HQ DDNM        -  51.43 .139 45.73
CelebA-HQ DeqIR       -  50.16 .092 43.98
"""

_SUPERVISED = """
ImageNet  SRGAN       -  24.83 .696 .245
ImageNet  BSRGAN      -  23.65 .651 .331
ImageNet  LDM         -  22.34 .606 .318
ImageNet  DiffIR      -  29.25 .814 .235
ImageNet  DeqIR       -  27.44 .782 .235
CelebA-HQ SRGAN       -  31.16 .868 .164
CelebA-HQ BSRGAN      -  27.80 .808 .216
CelebA-HQ LDM         -  27.18 .783 .208
CelebA-HQ DiffIR      -  34.96 .924 .121
CelebA-HQ DeqIR       -  32.19 .887 .154
"""

PAPER = (
    PaperTable(
        "Table 1: super-resolution and deblurring",
        columns_of("sr2", "sr4", "deblur-gaussian", "deblur-anisotropic"),
        _rows(_RESTORATION),
    ),
    PaperTable(
        "Table 2: inpainting", columns_of("inpaint-text", "inpaint-stripe"), _rows(_INPAINTING)
    ),
    PaperTable(
        "Table 3: colorization",
        tuple(("colorization", number) for number in ("consistency_8bit", "lpips", "fid")),
        _rows(_COLORIZATION),
    ),
    PaperTable(
        "Table 5: networks trained for super-resolution",
        columns_of("sr4"),
        _rows(_SUPERVISED),
        of_networks=True,
    ),
)
"""The tables. Of the third one's consistency the paper does not say whether photos were rounded to
8 bits before, nor in which units it is; the published code lacks it. The fifth has its own method
with other numbers than the first one."""
