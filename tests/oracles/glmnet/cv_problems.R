# Cross-validation by R's cv.glmnet, stored for tests/oracles/test_glmnet.py.
#
#   cd tests/oracles/glmnet && Rscript cv_problems.R
#
# reads  cv_diabetes.csv, cv_breast_cancer.csv (real data, see the note at the end of this header)
# writes cv_data.json      the made-up data sets, as whole numbers and what to divide them by
#        cv_problems.json  each problem with its folds, strengths, and what cv.glmnet made of it; R's and glmnet's version
#
# The choices (min, one_se) are those of thresh 1e-14, and no path is cut short (fdev 0, devmax 1). The scores (cvm, cvsd)
# are those of thresh 1e-20: at 1e-14 some are still 1e-3 from those of the solution, which moves no choice. The family
# gaussian has alpha 1 only: glmnet divides its L2 part by sd(y), another number in every fold.
#
# The real data are those of scikit-learn: diabetes (Efron, Hastie, Johnstone & Tibshirani, 2004, Annals of Statistics
# 32) and the ten means of breast cancer Wisconsin (Wolberg, Mangasarian, Street & Street, 1993, UCI, CC BY 4.0):
#   python -c "import numpy as np; from sklearn.datasets import load_diabetes as d, load_breast_cancer as b
#   for name, (X, y) in dict(diabetes=d(return_X_y=True, scaled=False), breast_cancer=b(return_X_y=True)).items():
#       np.savetxt(f'cv_{name}.csv', np.c_[y, X[:, :10]], fmt='%.9g', delimiter=',')"

suppressMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1)
options(digits = 15, warn = 1)

# ---- designs -------------------------------------------------------------------------------------------------------

correlated <- function(n, p, rho) {
  x <- matrix(rnorm(n * p), n, p)
  for (j in seq_len(p)[-1]) x[, j] <- rho * x[, j - 1] + sqrt(1 - rho^2) * x[, j]
  x
}
dense <- function(n, p, rho = 0.5) list(x = round(100 * correlated(n, p, rho)), divisor = 100)
genotypes <- function(n, p) {
  thresholds <- rep(qnorm(runif(p, 0.4, 0.85)), each = n)
  list(x = (correlated(n, p, 0.8) > thresholds) + (correlated(n, p, 0.8) > thresholds), divisor = 1)
}
counts <- function(n, p) list(x = matrix(rpois(n * p, rep(3 / seq_len(p)^0.7, each = n)), n, p), divisor = 1)
unequal_scales <- function(n, p) {
  sizes <- rep(10^seq(-1, 2, length.out = p), each = n)
  list(x = round(100 * sizes * (correlated(n, p, 0.4) + 2)), divisor = 100)
}
twins <- function(n, p) {  # each column twice, the second a little off
  x <- round(100 * correlated(n, p %/% 2, 0.3))
  list(x = cbind(x, x + matrix(sample(-5:5, length(x), TRUE), n)), divisor = 100)
}
indicators <- function(n, p) {  # factors of four levels, every level its own column
  list(x = do.call(cbind, lapply(seq_len(p %/% 4), function(k) 1 * outer(sample(4, n, TRUE), 1:4, "=="))), divisor = 1)
}
real <- function(file) {
  table <- unname(as.matrix(read.csv(file, header = FALSE)))
  list(x = table[, -1], divisor = 1, y = table[, 1])
}

# ---- responses -----------------------------------------------------------------------------------------------------

signal <- function(design, n_true) {
  x <- scale(design$x)
  x[is.na(x)] <- 0
  true <- sample(ncol(x), n_true)
  eta <- drop(x[, true, drop = FALSE] %*% (sample(c(-1, 1), n_true, TRUE) * runif(n_true, 0.5, 1.5)))
  if (n_true > 0) eta / sd(eta) else rep(0, nrow(x))
}
gaussian_data <- function(seed, design, n_true, noise, mean = 2) {
  set.seed(seed)
  data <- design()
  data$y <- round(mean + signal(data, n_true) + noise * rnorm(nrow(data$x)), 3)
  data
}
binary_data <- function(seed, design, n_true, size, mean = 0) {
  set.seed(seed)
  data <- design()
  data$y <- 1 * (runif(nrow(data$x)) < plogis(mean + size * signal(data, n_true)))
  data
}

data_sets <- list(
  g_tall = gaussian_data(1, function() dense(120, 12), 4, 1),
  g_square = gaussian_data(2, function() dense(60, 60, 0.7), 6, 0.7),
  g_wide = gaussian_data(3, function() dense(50, 120, 0.3), 5, 0.5),
  g_noise = gaussian_data(4, function() dense(90, 25), 0, 1),
  g_exact = gaussian_data(5, function() dense(80, 15), 8, 0.05, mean = 100),
  g_genotypes = gaussian_data(6, function() genotypes(100, 240), 10, 0.8),
  g_counts = gaussian_data(7, function() counts(110, 40), 6, 1),
  g_scales = gaussian_data(8, function() unequal_scales(80, 20), 5, 0.8),
  g_twins = gaussian_data(9, function() twins(80, 30), 4, 0.8),
  g_indicators = gaussian_data(10, function() indicators(140, 24), 5, 1),
  diabetes = real("cv_diabetes.csv"),
  b_tall = binary_data(21, function() dense(160, 10), 4, 1.5),
  b_square = binary_data(22, function() dense(80, 60, 0.6), 6, 2.5),
  b_wide = binary_data(23, function() dense(60, 110, 0.3), 4, 4),
  b_rare = binary_data(24, function() dense(200, 15), 4, 1.5, mean = -2.5),
  b_genotypes = binary_data(25, function() genotypes(120, 200), 8, 3),
  b_counts = binary_data(26, function() counts(150, 40), 6, 2),
  b_scales = binary_data(27, function() unequal_scales(100, 20), 5, 2),
  b_twins = binary_data(28, function() twins(100, 30), 4, 2),
  b_noise = binary_data(29, function() dense(100, 20), 0, 0),
  b_indicators = binary_data(30, function() indicators(160, 24), 5, 2),
  breast_cancer = real("cv_breast_cancer.csv")
)

# ---- problems ------------------------------------------------------------------------------------------------------

folds_of <- function(kind, y, k) {
  n <- length(y)
  switch(kind,
    shuffled = sample(rep(seq_len(k), length.out = n)),
    unequal = {  # the first fold has about half the rows, each of the others three or more
      id <- ifelse(runif(n) < 0.4, 1L, sample(rep(seq_len(k), length.out = n)))
      id[sample(n, 3 * k)] <- rep(seq_len(k), 3)
      id
    },
    blocks = sort(rep(seq_len(k), length.out = n)),
    stratified = {
      id <- integer(n)
      for (v in unique(y)) {
        rows <- which(y == v)
        id[rows] <- sample(rep(seq_len(k), length.out = length(rows)))
      }
      id
    },
    pairs = sample(rep(seq_len(n %/% 2), length.out = n)),
    each = seq_len(n)
  )
}
weights_of <- function(kind, n) {
  switch(kind, none = NULL, any = sample(20:300, n, TRUE) / 100, whole = sample(1:4, n, TRUE),
         zeros = sample(c(0, 0.5, 1, 2), n, TRUE))
}
factors_of <- function(kind, p) {
  switch(kind, none = NULL, any = sample(c(0.5, 0.8, 1, 1.5, 3), p, TRUE),
         free = { f <- rep(1, p); f[sample(p, 2)] <- 0; f })
}

problem <- function(data, alpha = 1, folds = "shuffled", k = 10, standardize = FALSE, intercept = TRUE,
                    weights = "none", offset = FALSE, factors = "none") {
  list(data = data, alpha = alpha, folds = folds, k = k, standardize = standardize, intercept = intercept,
       weights = weights, offset = offset, factors = factors)
}
gaussian <- list(
  problem("g_tall"), problem("g_tall", k = 5, standardize = TRUE), problem("g_tall", weights = "any"),
  problem("g_square"), problem("g_square", k = 3, weights = "whole", offset = TRUE),
  problem("g_wide", k = 5), problem("g_wide", standardize = TRUE, factors = "any"),
  problem("g_noise"), problem("g_noise", folds = "unequal", k = 6, weights = "any"),
  problem("g_exact"), problem("g_exact", folds = "unequal", k = 5, offset = TRUE),
  problem("g_exact", intercept = FALSE),
  problem("g_genotypes"), problem("g_genotypes", k = 5, standardize = TRUE, weights = "zeros"),
  problem("g_counts", factors = "free"), problem("g_counts", standardize = TRUE, weights = "any", offset = TRUE),
  problem("g_scales", standardize = TRUE), problem("g_scales", k = 4, folds = "blocks", standardize = TRUE, factors = "free"),
  problem("g_scales", standardize = TRUE, intercept = FALSE),
  problem("g_twins"), problem("g_twins", weights = "zeros", factors = "any"),
  problem("g_indicators", standardize = TRUE), problem("g_indicators", folds = "blocks", k = 7, offset = TRUE),
  problem("diabetes", standardize = TRUE), problem("diabetes", k = 20, standardize = TRUE, weights = "any"),
  problem("diabetes", folds = "unequal", k = 5, standardize = TRUE, factors = "free", offset = TRUE),
  problem("g_tall", folds = "each"), problem("g_noise", folds = "each", weights = "any")
)
binomial <- unlist(recursive = FALSE, lapply(c(0.2, 0.5, 1), function(alpha) list(
  problem("b_tall", alpha, weights = "any"), problem("b_square", alpha, k = 5),
  problem("b_wide", alpha, k = 5, standardize = TRUE), problem("b_rare", alpha, folds = "stratified"),
  problem("b_genotypes", alpha), problem("b_counts", alpha, folds = "unequal", k = 6, factors = "free"),
  problem("b_scales", alpha, standardize = TRUE, weights = "zeros"),
  problem("b_twins", alpha, standardize = TRUE, factors = "any", offset = TRUE),
  problem("b_noise", alpha, k = 8, weights = "whole"),
  problem("b_indicators", alpha, folds = "stratified", k = 4, intercept = FALSE, offset = TRUE),
  problem("b_indicators", alpha, standardize = TRUE, weights = "any", offset = TRUE),
  problem("breast_cancer", alpha, standardize = TRUE)
)))

problems <- c(gaussian, binomial, list(problem("g_noise", folds = "pairs")))

# glmnet's steps are slow at the small strengths of these: their grids end at this share of the largest strength.
SLOW <- c(g_square = 0.02, g_wide = 0.02, g_exact = 1e-4, g_genotypes = 0.02, g_twins = 1e-3, b_square = 0.02,
          b_wide = 0.02, b_genotypes = 0.02, b_counts = 0.01, b_scales = 0.01, b_twins = 0.01,
          breast_cancer = 1e-3)

# ---- cv.glmnet -----------------------------------------------------------------------------------------------------

run <- function(spec, number) {
  set.seed(1000 + number)
  family <- if (spec$data == "diabetes" || startsWith(spec$data, "g_")) "gaussian" else "binomial"
  data <- data_sets[[spec$data]]
  x <- data$x / data$divisor
  y <- data$y
  foldid <- folds_of(spec$folds, y, spec$k)
  w <- weights_of(spec$weights, nrow(x))
  offset <- if (spec$offset) round(rnorm(nrow(x)) * sd(y), 2) else NULL
  factors <- factors_of(spec$factors, ncol(x))
  call <- list(x = x, y = y, family = family, alpha = spec$alpha, standardize = spec$standardize,
               intercept = spec$intercept, weights = w, offset = offset, thresh = 1e-14, maxit = 1e7)
  if (!is.null(factors)) call$penalty.factor <- factors
  smallest <- if (spec$data %in% names(SLOW)) list(lambda.min.ratio = SLOW[[spec$data]])
  lambda <- signif(do.call(glmnet, c(call, list(nlambda = 50), smallest))$lambda, 6)
  grid <- list(lambda = lambda, foldid = foldid, keep = TRUE)
  index <- do.call(cv.glmnet, c(call, grid))$index
  call$thresh <- 1e-20
  cv <- do.call(cv.glmnet, c(call, grid))
  stopifnot(length(cv$lambda) == length(lambda), max(abs(cv$lambda / lambda - 1)) < 1e-14)
  out <- list(number = number, data = spec$data, family = family, alpha = spec$alpha, standardize = spec$standardize,
              intercept = spec$intercept, foldid = foldid, weights = w, offset = offset, penalty_factor = factors,
              lambda = lambda, cvm = cv$cvm, cvsd = cv$cvsd, min = index[1], one_se = index[2])
  if (family == "binomial") out <- c(out, unclipped(cv$fit.preval, y, w, foldid))
  out
}

# cv.glmnet takes probabilities beyond 1e-5 and 1 - 1e-5 as those two: the same scores without that, where it matters.
unclipped <- function(eta, y, w, foldid) {
  if (max(abs(eta)) <= qlogis(1 - 1e-5)) return(NULL)
  if (is.null(w)) w <- rep(1, length(y))
  rows <- 2 * (pmax(eta, 0) + log1p(exp(-abs(eta))) - y * eta)
  totals <- as.vector(tapply(w, foldid, sum))
  means <- sapply(seq_along(totals), function(k) colSums((rows * w)[foldid == k, , drop = FALSE]) / totals[k])
  cvm <- drop(means %*% totals) / sum(totals)
  cvsd <- sqrt(drop((means - cvm)^2 %*% totals) / sum(totals) / (length(totals) - 1))
  list(clipped_from = which(apply(abs(eta), 2, max) > qlogis(1 - 1e-5))[1], cvm_exact = cvm, cvsd_exact = cvsd)
}

# ---- JSON ----------------------------------------------------------------------------------------------------------

json <- function(value) {
  if (is.list(value)) {
    value <- Filter(Negate(is.null), value)
    body <- paste0('"', names(value), '":', vapply(value, json, ""))
    return(paste0("{", paste(body, collapse = ","), "}"))
  }
  if (is.matrix(value)) return(paste0("[", paste(apply(value, 1, json), collapse = ",\n"), "]"))
  text <- if (is.character(value)) paste0('"', value, '"')
          else if (is.logical(value)) tolower(value)
          else formatC(value, digits = 12, format = "g", width = 1)
  if (length(value) == 1) text else paste0("[", paste(text, collapse = ","), "]")
}

stored <- vapply(seq_along(problems), function(number) json(run(problems[[number]], number)), "")
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), glmnet = as.character(packageVersion("glmnet")))
writeLines(c(paste0('{"versions":', json(versions), ',\n"problems":['), paste(stored, collapse = ",\n"), "]}"),
           "cv_problems.json")
made_up <- Filter(function(name) grepl("_", name) && name != "breast_cancer", names(data_sets))
named <- vapply(made_up, function(name) paste0('"', name, '":', json(data_sets[[name]])), "")
writeLines(c("{", paste(named, collapse = ",\n"), "}"), "cv_data.json")
