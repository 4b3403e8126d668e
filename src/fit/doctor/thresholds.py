"""Every threshold of the doctor, with the reason for it."""

# --- what is a good fit ---
# Errors below 3 % of the spread (R² above 0.999) are errors that nobody asks about.
GOOD_NRMSE = 0.03
# Up to twice that a fit is not talked down unless the cause is certain.
GRAY_NRMSE = 0.06
# Errors of the size of the noise are as good as can be; the estimate of the noise is itself uncertain by so much, and
# errors of which a smooth function explains no more than that are noise themselves.
NOISE_ROOM = 1.3
# Errors that leave less than half of the variance explained are not called a good fit, even if they look like noise.
USEFUL_NRMSE = 0.7
# A validation loss that was lower by this factor before has been let go of.
RISEN = 1.3
# An affine fit has settled when its loss is within a fifth (and what a good fit may miss) of the least squares one.
SETTLED = 0.2

# --- data ---
# Targets that vary by less than a hundredth of their size are those of a constant, as far as R² can tell.
CONSTANT_SPREAD = 0.01
# Gradient descent needs as many steps as the condition number; beyond a hundred it is felt, and standardizing helps.
UNSCALED_CONDITION = 100.0
# Start values answer numbers of about one: targets whose mean or spread is ten times off take long to get at.
UNSCALED_TARGETS = 10.0
# Of two targets, one whose part of the loss is a hundred times smaller is next to invisible,
DOMINANCE = 100.0
# and it has suffered when its error, over its spread, is so many times that of the larger one.
DOMINATED = 3.0
# A smooth function that explains less than a tenth of the spread on rows left out explains nothing.
NOTHING_NRMSE = 0.95
# which is certain with so many rows.
ENOUGH_ROWS = 100
# Rows beyond so many deviations of the middle half are outliers, and matter when they hold most of the squared error.
OUTLIER_DEVIATIONS = 10.0
OUTLIER_PART = 0.5
OUTLIER_ROWS = 0.15
# An input is one when it lies so many times further out than all that are not: a long tail has no such gap.
OUTLIER_GAP = 3.0
# Of so few rows none can be told from the others,
FEW_ROWS = 20
# unless it is so many times further away than they are from each other.
SQUEEZED = 100.0
# Where their neighbours are far off, too, the fit is, not the rows.
NEIGHBOUR_FRACTION = 0.5

# A target jumps between near rows, of so many neighbours each, that differ by so much of its spread, if that is so many
# times what nine tenths of all rows differ by,
NEIGHBOURS = 4
JUMP, NO_SLOPE, JUMPS = 0.3, 6.0, 0.1
# and it is to blame where the rows beside it, within a tenth of the usual distance, hold most of the squared error.
BESIDE_JUMP, JUMP_PART = 0.1, 0.5

# --- what the network could do ---
# A model's shape is at fault when a smooth function leaves so much less than the best of its shape.
SHAPE_ROOM = 0.5
# A floor below this part of the spread is nothing to speak of.
FLOOR_PART = 1e-3
# A network fits its training rows when its error there is below this, or that many times below that on others.
FITS_NRMSE = 0.1
FITS_TIMES = 3.0
# A validation loss that rose by a tenth since its lowest is rising, and so many times the points are enough.
OVERFITS, MORE_POINTS = 1.1, 16
# One that has doubled while the training loss went on falling says it all; and what is learned by heart is met.
LET_GO = 2.0
BY_HEART = 0.5
# A region is not covered by the training rows when its rows lie so many times further from them than they from another.
FAR = 2.0
FAR_PART = 0.3

# --- steps ---
# Weights that moved by less than a twentieth of their size are still those of the start.
HARDLY_MOVED = 0.05
# Of next to no weights, or next to no movement, no part can be taken.
NO_WEIGHTS = 1e-6
# A loss that fell thirty times was not held up by small steps.
WELL_FALLEN = 30.0
# A schedule that spends less than a twentieth of what its peak would is over before it began.
SPENT = 0.05
# A loss that has grown so much over its start is thrown about by its steps.
GROWN = 2.0
# Gradient descent on a network that bends recovers from a start up to so many times beyond its limit.
RECOVERS = 4.0
# What is half as much again as its threshold is beyond doubt.
SURELY = 1.5
# Gradient descent at less than a fiftieth of the stable rate wastes its steps.
SMALL_STEP = 0.02
# An adaptive optimizer moves each weight by about its rate: by less than this of their size in all, it got nowhere,
SMALL_TRAVEL = 50.0
# at a rate below what anybody uses for small networks;
SMALL_RATE = 3e-4
# and a single step of this much of their size throws the weights about.
LARGE_MOVE = 1.0
# and several times that makes it useless.
NO_STEPS = 5.0
# A loss that fell by a tenth while the last half of the learning rate was spent is still falling.
STILL_FALLING = 1.1
# With fewer looks than these nothing can be said of how it falls.
FEW_EVALUATIONS = 4
# A tenth of the steps that a fit takes are too few, whatever the loss does.
FEW_STEPS = 0.1
# A loss that jumps by more than this much (the deviation of its logarithm) between looks is at its noise floor.
JITTER = 0.25
# Batches whose gradients differ by more than they agree (squared) take turns in where to go.
GRADIENT_NOISE = 4.0

# Targets that bend within so few deviations of the inputs are out of reach of smooth activations; start values of sin
# reach bends of this many deviations, over their gain.
SHORT_LENGTH = 0.3
SIN_REACH = 1.0
# A penalty of a tenth of the loss is felt, as is a dropout of a third.
PENALTY_PART = 0.1
STRONG_DROPOUT = 0.3
# So few weights are too few for anything that bends, so many for some things, and so many enough for most.
FEW_WEIGHTS, SOME_WEIGHTS, MANY_WEIGHTS = 50, 200, 1000
# An error of so much of the spread is a function missed, not one met badly.
MISSES = 0.3
# Annealed steps after which a network of short bends has found them.
BENDS_STEPS = 4000

# --- units ---
# A layer most of whose units do not answer is a layer half as wide or less.
SILENT_UNITS, MOST_SILENT = 0.5, 0.9
# Start values so many times smaller or larger than is usual are to blame.
SOUND_GAINS = (0.3, 3.0)
# Of so few units all may start where they answer to no row.
FEW_UNITS = 16
# A gradient that is a thousand times smaller in the first layer than in the last does not train it.
VANISHED = 1e-3
# With so few layers it is another matter.
FEW_LAYERS = 3

# --- precision ---
# A number in single precision has seven digits: errors of a few units in the last one are its limit.
FLOAT_UNITS = 30.0
# Errors so many times larger have other causes.
FLOAT_TIMES = 1e3

# --- prescriptions ---
# A cure has worked when errors are so many times what they were, and further below than the spread of seeds allows;
BETTER = 0.95
# half where there is but one training to compare; and it has cured when the fit is good, or has a tenth of its error.
ALONE = 0.5
CURED = 0.1
# Targets three times off are worth standardizing where something is to be changed anyway.
OFF_TARGETS = 3.0
# The rates at which Adam and its kin fit small networks, and the one that does it best,
ADAPTIVE_RATES = (1e-3, 3e-2)
DEFAULT_RATE = 1e-2
# or where layers are many or wide.
DEEP, WIDE = 5, 128
DEEP_RATE = 3e-3
# A warm-up of more than a third of the run leaves too little of it.
LONG_WARMUP = 1 / 3
# Early stopping with a patience of less than a tenth of a run ends it by chance.
LONG_PATIENCE = 0.1
# Gradients clipped to less than this give steps of hardly any size.
TIGHT_CLIP = 0.1
# Annealed steps after which a small network has fitted a smooth function, and an affine one a line.
FIT_STEPS = 3000
AFFINE_STEPS = 1000
# What is prescribed at most at once, unless the run was as long already.
MOST_FIT_STEPS = 12000
# With batches the curvature of a batch may be larger than that of all rows.
DESCENT_PART = 0.2
# Digits that gradient descent on a quadratic loss is given the time for.
DIGITS_GAINED = 4.0
