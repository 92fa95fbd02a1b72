// Package score measures a binary classifier and draws what it measured.
//
// [Measure] computes the metrics with scikit-learn's definitions, [ROC] the
// curve. The figures are SVG for people and JSON for tools that draw plots
// from data. The same input gives the same bytes.
package score
