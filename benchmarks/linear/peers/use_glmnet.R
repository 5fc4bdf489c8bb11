# glmnet (R): the protocol of worker.py. usage: Rscript use_glmnet.R ROW_FOLDER; needs no package but glmnet and Matrix.
suppressPackageStartupMessages({library(Matrix); library(glmnet)})
folder <- commandArgs(TRUE)[1]

# A flat JSON object: strings, numbers, booleans; arrays of numbers.
parse <- function(text) {
  found <- regmatches(text, gregexpr('"[a-z0-9_]+": *("[^"]*"|\\[[^]]*\\]|[^,}]+)', text))[[1]]
  values <- list()
  for (one in found) {
    name <- sub('^"([a-z0-9_]+)":.*', "\\1", one)
    value <- trimws(sub('^"[a-z0-9_]+": *', "", one))
    values[[name]] <-
      if (startsWith(value, '"')) substr(value, 2, nchar(value) - 1)
      else if (startsWith(value, "[")) as.numeric(strsplit(substr(value, 2, nchar(value) - 1), ",")[[1]])
      else if (value %in% c("true", "false")) value == "true"
      else suppressWarnings(as.numeric(value))
  }
  values
}
doubles <- function(where, name) {
  file <- file.path(where, paste0(name, ".bin"))
  readBin(file, "double", file.size(file) / 8)
}
integers <- function(where, name) {
  file <- file.path(where, paste0(name, ".bin"))
  readBin(file, "integer", file.size(file) / 4)
}

row <- parse(readLines(file.path(folder, "row.json"), warn = FALSE))
n <- row$shape[1]; p <- row$shape[2]
X <- if (row$sparse) {
  new("dgCMatrix", x = doubles(row$data, "values"), i = integers(row$data, "indices"), p = integers(row$data, "indptr"),
      Dim = as.integer(c(n, p)))
} else matrix(doubles(row$data, "X"), n, p)
y <- doubles(row$data, "y")
alphas <- doubles(folder, "alphas")
folds <- integers(folder, "folds") + 1L
family <- if (row$loss == "logistic") "binomial" else "gaussian"
# Its gaussian family divides the ridge part by sd(y).
sd_y <- if (family == "gaussian") sqrt(mean((y - mean(y))^2)) else 1
stopifnot(row$l1_ratio == 1 || abs(sd_y - 1) < 1e-9)

fit <- function(asked, X, y, lambda = alphas) {
  given <- list(x = X, y = y, family = family, alpha = row$l1_ratio, lambda = lambda, standardize = FALSE,
                thresh = asked$tol, maxit = 1e9)
  if (family == "gaussian" && asked$mode != "") given$type.gaussian <- asked$mode
  if (family == "binomial" && asked$mode != "") given$type.logistic <- asked$mode
  if (row$kind == "cv" && asked$call == "run") {
    do.call(cv.glmnet, c(given, list(foldid = folds, type.measure = if (family == "gaussian") "mse" else "deviance")))
  } else do.call(glmnet, given)
}
save <- function(out, found) {
  dir.create(out, showWarnings = FALSE, recursive = TRUE)
  path <- if (inherits(found, "cv.glmnet")) found$glmnet.fit else found
  writeBin(path$beta@x, file.path(out, "values.bin"))
  writeBin(path$beta@i, file.path(out, "indices.bin"))
  writeBin(as.integer(path$beta@p), file.path(out, "indptr32.bin"))
  writeBin(as.numeric(path$a0), file.path(out, "intercepts.bin"))
  if (inherits(found, "cv.glmnet")) writeBin(as.numeric(found$cvm), file.path(out, "curve.bin"))
}
numbers <- function(values) paste0("[", paste(format(values, digits = 8, trim = TRUE), collapse = ","), "]")

few <- if (n > 400) sort(unlist(lapply(unique(folds), function(k) head(which(folds == k), 40)))) else seq_len(n)
invisible(glmnet(X[few, seq_len(min(60, p))], y[few], family = family, lambda = head(alphas, 3), standardize = FALSE))
input <- file("stdin", open = "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  asked <- parse(line)
  if (asked$strict) glmnet.control(fdev = 0, devmax = 1) else glmnet.control(factory = TRUE)
  wall <- c(); cpu <- c()
  answer <- tryCatch({
    while (length(wall) < asked$runs && sum(wall) <= asked$budget) {
      gc(FALSE)
      taken <- system.time(found <- suppressWarnings(fit(asked, X, y)), gcFirst = FALSE)
      wall <- c(wall, taken[["elapsed"]]); cpu <- c(cpu, taken[["user.self"]] + taken[["sys.self"]])
    }
    save(asked$out, found)
    sprintf('{"version": "%s", "wall": %s, "cpu": %s, "passes": null, "wrote": ["coefs", "intercepts"%s]}',
            packageVersion("glmnet"), numbers(wall), numbers(cpu), if (inherits(found, "cv.glmnet")) ', "curve"' else "")
  }, error = function(failure) sprintf('{"failed": "%s"}', gsub('["\n\\\\]', " ", conditionMessage(failure))))
  cat("answer ", answer, "\n", sep = "")
  flush(stdout())
}
