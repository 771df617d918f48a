# Read the measurements.
library(stats)

limit <- 10

#' Drop outliers.
#' @param x numbers
drop_outliers <- function(x, k = 3) {
  keep <- abs(x - mean(x)) < k * sd(x)
  x[keep]
}

plot_all = function(data) {
  plot(data)
}
