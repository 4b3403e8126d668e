"""Every threshold of the doctor, with the reason for it."""

# --- what is a good fit ---
# A fit with errors below 3 % of the targets' standard deviation (R² above 0.999) is good.
GOOD_NRMSE = 0.03
# Up to twice that, only certain findings are reported.
NEARLY_GOOD_NRMSE = 0.06
# Errors of the size of the noise are as small as possible; the noise is known up to this factor, and errors of which a
# smooth function explains no more than that are noise themselves.
NOISE_ROOM = 1.3
# A fit that explains less than half of the variance is not good, even if its errors look like noise.
USEFUL_NRMSE = 0.7
# A validation loss this many times its lowest value has risen.
RISEN = 1.3
# An affine fit has converged if its loss is within a fifth of the least squares one, plus the errors of a good fit.
SETTLED = 0.2

# --- data ---
# Targets that vary by less than a hundredth of their size are practically constant.
CONSTANT_SPREAD = 0.01
# Gradient descent needs about as many steps as the condition number; above a hundred, standardizing clearly helps.
UNSCALED_CONDITION = 100.0
# Start values give outputs of about one: targets whose mean or deviation is ten times off take long to reach.
UNSCALED_TARGETS = 10.0
# A target that weighs a hundred times less in the loss than another is nearly ignored,
DOMINANCE = 100.0
# and has suffered if its error, over its standard deviation, is this many times that of the other.
DOMINATED = 3.0
# A smooth function with a leave-one-out error above this part of the standard deviation explains nothing,
NOTHING_NRMSE = 0.95
# which is certain with at least this many rows.
ENOUGH_ROWS = 100
# Values this many robust standard deviations from the median are outliers, and matter if they make up most of the
# squared error; with more than this fraction of the rows far off, they are no outliers.
OUTLIER_DEVIATIONS = 10.0
OUTLIER_PART = 0.5
OUTLIER_ROWS = 0.15
# An outlier among the inputs is also this many times further out than all others: a long tail has no such gap.
OUTLIER_GAP = 3.0
# With fewer rows outliers cannot be told from the rest,
FEW_ROWS = 20
# unless one is this many times further away than the others are from each other.
SQUEEZED_RATIO = 100.0
# If more than this fraction of their neighbours are far off too, the fit is bad, not the rows.
NEIGHBOUR_FRACTION = 0.5

# A target jumps if a row and its nearest neighbours, this many, differ by more than JUMP of its standard deviation and
# by more than NO_SLOPE times what nine tenths of all rows differ by; at most JUMPS of the rows are beside a jump.
NEIGHBOURS = 4
JUMP, NO_SLOPE, JUMPS = 0.3, 6.0, 0.1
# The jump is to blame if rows within a tenth of the usual distance of it make up most of the squared error.
BESIDE_JUMP, JUMP_PART = 0.1, 0.5

# --- what the network could do ---
# The shape of a model is at fault if a smooth function has less than this part of the error of the best such model.
SHAPE_ROOM = 0.5
# A lowest possible loss below this fraction of that of the mean is negligible.
FLOOR_PART = 1e-3
# A network fits its training rows if its error there is below this, or this many times below that on others.
FITS_NRMSE = 0.1
FITS_TIMES = 3.0
# A validation loss a tenth above its lowest value is rising; this many times the points cure overfitting.
OVERFITS, MORE_POINTS = 1.1, 16
# A validation loss that doubled while the training loss kept falling is overfitting. Memorized rows are fitted at least
# this well.
VAL_LOSS_DOUBLED = 2.0
MEMORIZED_NRMSE = 0.5
# A region is not covered by the training rows if at least FAR_PART of its rows are this many times further from them
# than they are from each other.
FAR_DISTANCE = 2.0
FAR_PART = 0.3

# --- steps ---
# Weights that moved by less than a twentieth of their size have hardly moved.
HARDLY_MOVED = 0.05
# Weights or movements below this count as zero: no ratio of them means anything.
NO_WEIGHTS = 1e-6
# A loss that fell by this factor was not held up by small steps.
WELL_FALLEN = 30.0
# A schedule whose mean rate is below a twentieth of optimizer.lr leaves hardly any training.
LOW_SCHEDULE = 0.05
# A loss that grew to this many times its initial value was destabilized by its steps.
GROWN = 2.0
# Gradient descent on a nonlinear network can recover from a rate of up to this many times the initial stability limit.
RECOVERS = 4.0
# What exceeds its threshold by this factor is certain.
CERTAIN_FACTOR = 1.5
# Gradient descent at less than a fiftieth of the stable rate wastes its steps.
SMALL_STEP = 0.02
# An adaptive optimizer moves each weight by about its rate per step: with a total of less than this many times the
# weights' size, it got nowhere,
SMALL_TRAVEL = 50.0
# if its rate is below any that is used for small networks;
SMALL_RATE = 3e-4
# a single step of this many times their size destabilizes the weights,
LARGE_MOVE = 1.0
# and several times that makes training useless.
NO_STEPS = 5.0
# A loss that fell by this factor over the last half of the summed learning rate is still falling.
STILL_FALLING = 1.1
# With fewer evaluations its trend is unknown.
FEW_EVALUATIONS = 4
# Less than a tenth of the steps that a fit takes is too few, whatever the loss does.
FEW_STEPS = 0.1
# A loss that fluctuates by more than this between evaluations (deviation of its logarithm) is at its noise floor.
JITTER = 0.25
# Batches are noisy if their gradients' squared deviation exceeds the squared mean by this factor.
GRADIENT_NOISE = 4.0

# Targets that vary over a length, in standard deviations of the inputs, below SHORT_LENGTH are too steep for smooth
# activations; sin fits lengths of SIN_REACH over its gain.
SHORT_LENGTH = 0.3
SIN_REACH = 1.0
# A penalty above a tenth of the loss matters, as does a dropout of a third.
PENALTY_PART = 0.1
STRONG_DROPOUT = 0.3
# The first number of weights is too few for any nonlinear function, the second for some, the third enough for most.
FEW_WEIGHTS, SOME_WEIGHTS, MANY_WEIGHTS = 50, 200, 1000
# An error above this part of the standard deviation means that the function was missed altogether.
MISSES = 0.3
# Steps, with a decaying rate, that a network needs to fit targets which vary over short lengths.
BENDS_STEPS = 4000

# --- units ---
# A layer is in trouble if half of its units are inactive, and certainly if nine tenths are.
SILENT_UNITS, MOST_SILENT = 0.5, 0.9
# Gains outside this range are unusual enough to be to blame.
SOUND_GAINS = (0.3, 3.0)
# In layers with fewer units, all may be inactive from the start.
FEW_UNITS = 16
# A gradient a thousand times smaller in the first layer than in the last does not train it,
VANISHED = 1e-3
# unless the network has no more than this many layers: then the cause is another.
FEW_LAYERS = 3

# --- precision ---
# A number in single precision has seven digits: errors of this many units in the last one are the limit.
FLOAT_UNITS = 30.0
# Errors this many times larger have other causes.
FLOAT_TIMES = 1e3

# --- prescriptions ---
# A cure works if it reduces errors to less than this part, and by more than their variation over seeds;
BETTER_RATIO = 0.95
# to a half if there is only one training to compare. It has cured if the fit is good or has a tenth of its error.
SINGLE_RATIO = 0.5
CURED_RATIO = 0.1
# Targets off by this factor are worth standardizing if the scaling is to be changed anyway.
OFF_TARGETS = 3.0
# The range of rates at which Adam and similar optimizers fit small networks, and the best one,
ADAPTIVE_RATES = (1e-3, 3e-2)
DEFAULT_RATE = 1e-2
# or that of deep or wide networks.
DEEP, WIDE = 5, 128
DEEP_RATE = 3e-3
# A warm-up of more than a third of the run leaves too little of it.
LONG_WARMUP = 1 / 3
# Early stopping with a patience of less than a tenth of a run ends it by chance.
LONG_PATIENCE = 0.1
# Gradients clipped to less than this give tiny steps.
TIGHT_CLIP = 0.1
# Steps, with a decaying rate, that a small network needs to fit a smooth function, and an affine model a plane.
FIT_STEPS = 3000
AFFINE_STEPS = 1000
# The most steps to prescribe at once, unless the run was that long already.
MOST_FIT_STEPS = 12000
# The curvature of a batch may be larger than that of all rows: with batches, descend at this part of the best rate.
DESCENT_PART = 0.2
# Decimal digits by which gradient descent on a quadratic loss is given time to converge.
DIGITS_GAINED = 4.0
