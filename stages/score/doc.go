// Package score measures a binary classifier and draws what it measured.
//
// A [Sample] holds the evaluated rows: labels, probabilities and, optionally,
// decisions and weights. [Measure] computes metrics with scikit-learn's
// definitions, [ROC], [PrecisionRecall], [Calibrate] and [ThresholdCurve] the
// curves, [Bootstrap] confidence intervals, [BySlice] the metrics of parts of
// the rows. [ChooseThreshold] is for validation data: a threshold that was
// chosen on the test data makes every metric of the test data too good.
//
// A row is predicted 1 when its probability is above the threshold, as
// scikit-learn does for one half. Single-class samples and other cases that
// leave a metric without meaning follow scikit-learn: AUC is NaN (null in
// JSON), ratios without cases are 0, and [Metrics.Undefined] names them.
// Probabilities that are not in [0, 1] are an error.
//
// The draw functions make figures, as SVG for documents and PNG for
// everything else; curves are thinned, and the same input gives the same
// bytes for any number of workers.
package score
