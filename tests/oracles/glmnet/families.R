# Every family of R's glmnet on stored problems, for make_families.py, which writes what this reads and reads what this
# writes.
#
#   Rscript families.R FOLDER
#
# FOLDER has one folder per problem: settings.csv (name,value), x.csv, y.csv, lambda.csv, and where given weights.csv,
# offset.csv, penalty_factor.csv, lower.csv, upper.csv, strata.csv. Written per problem: coef_1.out ... (one file per
# kept strength: rows intercept and features, columns classes or responses), objective.out, status.out.
#
# No path is cut short (fdev 0, devmax 1); thresh is 1e-20 (at 1e-14 some coefficients are 1e-6 from the solution);
# cox.path (sparse x or strata) stops at relative changes of the objective of epsnr; bnorm (grouped rows with bounds)
# at prec.

suppressMessages({library(glmnet); library(Matrix); library(survival)})
glmnet.control(fdev = 0, devmax = 1, eps = 1e-10, epsnr = 1e-15, mxitnr = 5000, prec = 1e-14, mxit = 10000)
options(digits = 17, warn = 1)
root <- commandArgs(TRUE)[1]

logsumexp <- function(eta) { m <- apply(eta, 1, max); m + log(rowSums(exp(eta - m))) }

# The objective that glmnet minimizes, at coefficients on the scale of x. See README.md for each symbol.
objective <- function(p, lambda, b, beta) {  # b: K intercepts, beta: features x K
  n <- nrow(p$x); w <- if (is.null(p$weights)) rep(1, n) else p$weights
  w <- w / sum(w)
  x <- as.matrix(p$x)
  eta <- sweep(x %*% beta, 2, b, "+")
  if (!is.null(p$offset)) eta <- eta + p$offset
  off <- if (is.null(p$offset)) 0 else p$offset
  wsd <- function(v, about_mean = TRUE) sqrt(sum(w * (v - if (about_mean) sum(w * v) else 0)^2))
  s <- if (p$standardize) apply(x, 2, wsd) else rep(1, ncol(x))
  v <- if (is.null(p$factors)) rep(1, ncol(x)) else p$factors
  excluded <- is.infinite(v)
  v[excluded] <- 1
  v <- v * length(v) / sum(v)
  v[excluded] <- 0  # their coefficients are 0
  family <- p$family
  scale <- 1  # of the responses
  tau <- 1  # divides the L2 part, gaussian only
  if (family == "gaussian") tau <- wsd(p$y - off, p$intercept)
  if (family == "mgaussian") {
    sds <- apply(p$y - off, 2, wsd, about_mean = p$intercept)
    if (p$standardize_response) scale <- sds
  }
  loss <- switch(family,
    gaussian = sum(w * (p$y - eta)^2) / 2,
    mgaussian = sum(w * sweep(p$y - eta, 2, scale, "/")^2) / 2,
    binomial = sum(w * (pmax(eta, 0) + log1p(exp(-abs(eta))) - p$y * eta)),
    poisson = sum(w * (exp(eta) - p$y * eta)),
    multinomial = sum(w * (logsumexp(eta) - eta[cbind(seq_len(n), p$y + 1)])),
    cox = {
      group <- if (is.null(p$strata)) rep(1, n) else p$strata
      sum(vapply(which(p$y[, 2] == 1 & w > 0), function(i) {
        at_risk <- p$y[, 1] >= p$y[i, 1] & group == group[i]
        w[i] * (log(sum(w[at_risk] * exp(eta[at_risk]))) - eta[i])
      }, 0))
    })
  z <- sweep(beta * s, 2, scale, "/")
  grouped <- family == "mgaussian" || (family == "multinomial" && p$grouped)
  l1 <- if (grouped) sqrt(rowSums(z^2)) else rowSums(abs(z))
  loss + lambda * sum(v * (p$alpha * l1 + (1 - p$alpha) / (2 * tau) * rowSums(z^2)))
}

run <- function(folder) {
  table <- function(name) {
    file <- file.path(folder, paste0(name, ".csv"))
    if (file.exists(file)) unname(as.matrix(read.csv(file, header = FALSE)))
  }
  vector_of <- function(name) { values <- table(name); if (!is.null(values)) drop(values) }
  put <- function(values, name) {
    write.table(as.matrix(values), file.path(folder, paste0(name, ".out")), row.names = FALSE, col.names = FALSE,
                sep = ",")
  }
  given <- read.csv(file.path(folder, "settings.csv"), header = FALSE, colClasses = "character")
  s <- setNames(as.list(given[, 2]), given[, 1])
  p <- list(family = s$family, alpha = as.numeric(s$alpha), standardize = s$standardize == "True",
            intercept = s$intercept == "True", grouped = s$grouped == "True",
            standardize_response = s$standardize_response == "True", x = table("x"), weights = vector_of("weights"),
            factors = vector_of("penalty_factor"), strata = vector_of("strata"))
  matrices <- p$family %in% c("mgaussian", "cox")
  p$y <- if (matrices) table("y") else vector_of("y")
  p$offset <- if (p$family %in% c("mgaussian", "multinomial")) table("offset") else vector_of("offset")
  lambda <- vector_of("lambda")
  call <- list(x = if (s$sparse == "True") Matrix(p$x, sparse = TRUE) else p$x, family = p$family, alpha = p$alpha,
               lambda = lambda, standardize = p$standardize, weights = p$weights, offset = p$offset,
               thresh = as.numeric(s$thresh), maxit = as.numeric(s$maxit))
  call$y <- switch(p$family, multinomial = factor(p$y), cox = Surv(p$y[, 1], p$y[, 2]), p$y)
  if (!is.null(p$strata)) call$y <- stratifySurv(call$y, p$strata)
  if (p$family != "cox") call$intercept <- p$intercept
  if (p$family == "mgaussian") call$standardize.response <- p$standardize_response
  if (p$family == "multinomial") call$type.multinomial <- if (p$grouped) "grouped" else "ungrouped"
  if (!is.null(p$factors)) call$penalty.factor <- p$factors
  lower <- vector_of("lower"); upper <- vector_of("upper")
  if (!is.null(lower)) call$lower.limits <- lower
  if (!is.null(upper)) call$upper.limits <- upper
  said <- character()
  started <- proc.time()[3]
  fit <- withCallingHandlers(
    tryCatch({
      setTimeLimit(elapsed = 60, transient = TRUE)
      do.call(glmnet, call)
    }, error = function(e) { said <<- c(said, conditionMessage(e)); NULL }),
    warning = function(w) { said <<- c(said, conditionMessage(w)); invokeRestart("muffleWarning") })
  setTimeLimit(elapsed = Inf)
  said <- unique(gsub("[\n,\"]", " ", said))
  if (is.null(fit) || length(fit$lambda) != length(lambda)) {
    put(c("failed", if (is.null(fit)) -1 else length(fit$lambda), said), "status")
    return(invisible())
  }
  stopifnot(max(abs(fit$lambda / lambda - 1)) < 1e-14)
  objectives <- c()
  places <- vector_of("places") + 1
  for (k in seq_along(places)) {
    at <- places[k]
    beta <- if (is.list(fit$beta)) sapply(fit$beta, function(m) m[, at]) else as.matrix(fit$beta[, at])
    b <- if (p$family == "cox") 0 else if (is.list(fit$beta)) fit$a0[, at] else fit$a0[at]
    objectives <- c(objectives, objective(p, lambda[at], b, unname(beta)))
    put(rbind(b, unname(beta)), paste0("coef_", k))
  }
  put(objectives, "objective")
  put(c("ok", fit$jerr, fit$npasses, round(proc.time()[3] - started, 1), said), "status")
}

for (folder in sort(list.dirs(root, recursive = FALSE))) {
  run(folder)
  cat(basename(folder), readLines(file.path(folder, "status.out")), "\n", file = stderr())
}
writeLines(c(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("glmnet")),
             as.character(packageVersion("survival"))), file.path(root, "versions.out"))
