"""What up-sampling is judged by."""

from stages.tasks.quality import Measures, Quality

MEASURES = Measures(
    Quality("psnr_db", "Y-PSNR", "dB", higher_is_better=True), "bicubic", ("psnr_db", "ssim")
)
