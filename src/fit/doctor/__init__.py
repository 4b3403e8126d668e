"""Why a fit failed, and the setting that cures it."""
