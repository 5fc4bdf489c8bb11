# Ridge Cox fits with Efron's ties by R's survival (glmnet has Breslow's only), for make_efron.py.
#
#   Rscript efron.R FOLDER
#
# The penalty of survival's ridge(theta) is theta/2 sum beta^2, added to minus the log partial likelihood (no 1/n).

suppressMessages(library(survival))
options(digits = 17, warn = 1)
root <- commandArgs(TRUE)[1]
for (folder in sort(list.dirs(root, recursive = FALSE))) {
  table <- function(name) {
    file <- file.path(folder, paste0(name, ".csv"))
    if (file.exists(file)) unname(as.matrix(read.csv(file, header = FALSE)))
  }
  x <- table("x"); y <- table("y"); n <- nrow(x)
  or <- function(values, other) if (is.null(values)) other else drop(values)
  w <- or(table("weights"), rep(1, n)); o <- or(table("offset"), rep(0, n)); g <- or(table("strata"), rep(1, n))
  theta <- drop(table("theta"))
  terms <- if (theta > 0) "ridge(x, theta = theta, scale = FALSE)" else "x"
  formula <- as.formula(paste("Surv(y[, 1], y[, 2]) ~", terms, "+ offset(o) + strata(g)"))
  fit <- coxph(formula, weights = w, ties = "efron", control = coxph.control(eps = 1e-14, iter.max = 500, toler.chol = 1e-15))
  write.table(c(coef(fit), fit$loglik[2]), file.path(folder, "fit.out"), row.names = FALSE, col.names = FALSE)
}
writeLines(c(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("survival"))),
           file.path(root, "versions.out"))
