# One path of glmnet. usage: Rscript glmnet_families.R FOLDER FAMILY THRESHOLD RUNS
# Reads X.bin (n x p), y.bin, alphas.bin; writes coefs.bin (classes one below another) and intercepts.bin; prints times.
suppressPackageStartupMessages(library(glmnet))
given <- commandArgs(TRUE)
folder <- given[1]; family <- given[2]; threshold <- as.numeric(given[3]); runs <- as.integer(given[4])
doubles <- function(name) {
  file <- file.path(folder, paste0(name, ".bin"))
  readBin(file, "double", file.size(file) / 8)
}
alphas <- doubles("alphas")
y <- doubles("y")
X <- doubles("X")
if (family == "cox") {  # times, then whether the event was seen
  y <- matrix(y, ncol = 2, dimnames = list(NULL, c("time", "status")))
  n <- nrow(y)
} else n <- length(y)
X <- matrix(X, n)
answers <- if (family == "multinomial") factor(y) else y
glmnet.control(fdev = 0, devmax = 1)  # all strengths are returned

fit <- function(rows, columns, lambda) {
  own <- if (is.matrix(answers)) answers[rows, ] else answers[rows]
  suppressWarnings(glmnet(X[rows, columns], own, family = family, lambda = lambda, standardize = FALSE,
                          thresh = threshold, maxit = 1e9))
}
invisible(fit(seq_len(min(n, 200)), 1:60, head(alphas, 3)))
wall <- c(); cpu <- c()
for (run in seq_len(runs)) {
  gc(FALSE)
  taken <- system.time(found <- suppressWarnings(glmnet(X, answers, family = family, lambda = alphas,
    standardize = FALSE, thresh = threshold, maxit = 1e9)), gcFirst = FALSE)
  wall <- c(wall, taken[["elapsed"]]); cpu <- c(cpu, taken[["user.self"]] + taken[["sys.self"]])
}
classes <- if (is.list(found$beta)) found$beta else list(found$beta)
coefs <- do.call(rbind, lapply(classes, as.matrix))
stopifnot(ncol(coefs) == length(alphas))
levels <- if (is.null(found$a0)) rep(0, length(alphas)) else found$a0
writeBin(as.numeric(coefs), file.path(folder, "coefs.bin"))
writeBin(as.numeric(levels), file.path(folder, "intercepts.bin"))
numbers <- function(values) paste0("[", paste(format(values, digits = 8, trim = TRUE), collapse = ","), "]")
cat(sprintf('{"version": "%s", "wall": %s, "cpu": %s}\n', packageVersion("glmnet"), numbers(wall), numbers(cpu)))
