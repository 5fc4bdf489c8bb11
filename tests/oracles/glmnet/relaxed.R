# One problem of relaxed fits by R's glmnet, for make_relaxed.py, which writes what this reads and reads what this writes.
#
#   Rscript relaxed.R FOLDER family alpha standardize intercept
#
# No path is cut short (fdev 0, devmax 1), Newton's steps are not limited to 25, and thresh is 1e-20.

suppressMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1, mxitnr = 500)
options(digits = 17, warn = 1)
args <- commandArgs(TRUE)
table <- function(name) {
  file <- file.path(args[1], paste0(name, ".csv"))
  if (file.exists(file)) unname(as.matrix(read.csv(file, header = FALSE)))
}
vector_of <- function(name) { values <- table(name); if (!is.null(values)) drop(values) }
write <- function(values, name) {
  write.table(as.matrix(values), file.path(args[1], paste0(name, ".out")), row.names = FALSE, col.names = FALSE, sep = ",")
}

call <- list(x = table("x"), y = vector_of("y"), family = args[2], alpha = as.numeric(args[3]),
             standardize = args[4] == "True", intercept = args[5] == "True", weights = vector_of("weights"),
             offset = vector_of("offset"), lambda = vector_of("lambda"), thresh = 1e-20, maxit = 1e8)
factors <- vector_of("penalty_factor")
if (!is.null(factors)) call$penalty.factor <- factors
gammas <- vector_of("gammas")
cv <- do.call(cv.glmnet, c(call, list(relax = TRUE, gamma = gammas, foldid = vector_of("foldid"), keep = TRUE)))
refits <- cv$glmnet.fit$relaxed
write(rbind(refits$a0, as.matrix(refits$beta)), "refits")
write(sapply(cv$relaxed$statlist, "[[", "cvm"), "cvm")
write(sapply(cv$relaxed$statlist, "[[", "cvsd"), "cvsd")
write(sapply(cv$fit.preval, function(eta) apply(abs(eta), 2, max)), "largest")
write(cv$relaxed$index, "index")
write(c(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("glmnet"))), "versions")
