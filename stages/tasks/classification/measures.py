"""What a classifier is judged by."""

from stages.tasks.quality import Measures, Quality

MEASURES = Measures(
    Quality("accuracy", "accuracy", "", higher_is_better=True, digits=4), "majority", ("accuracy",)
)
