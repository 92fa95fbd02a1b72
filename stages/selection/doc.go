// Package selection chooses a vectorizer and a classifier by cross-validation.
//
// A [Search] has candidates, from a [Grid] or drawn at random from one, and
// folds, from [StratifiedFolds]. For each fold the vectorizer learns from the
// texts of the other folds alone, so that nothing of the fold is known when it
// is scored, and candidates with the same vectorizer share its matrix.
// Candidates that differ in C alone are fitted in ascending order, each from
// where the last ended. In the end the best candidate is fitted to all texts.
//
// [Results] are scikit-learn's cv_results_: the score of each fold with mean
// and standard deviation, and a rank, the first of equals being the best. They
// depend on the texts, labels, folds and candidates alone, not on the number
// of workers; times are kept apart.
package selection
