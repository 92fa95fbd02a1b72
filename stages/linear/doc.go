// Package linear trains logistic regression on sparse rows.
//
// [Fit] minimizes what scikit-learn's LogisticRegression does,
//
//	C · Σ s(yᵢ) · log(1 + exp(-yᵢ(w·xᵢ + b))) + R(w),   yᵢ = ±1
//
// where s are the weights of the labels and R(w) is ½‖w‖², ‖w‖₁, a mixture of
// both, or 0. The intercept b is free of penalty, except with the solver
// liblinear, which takes it for the coefficient of one more column.
//
// All these problems are convex, so the method does not change the model
// beyond the tolerance, and the solver's name, one of scikit-learn's, says what
// is penalized, what is refused and when the fit is done, but not how it is
// found: smooth problems are solved by a truncated Newton method, for lbfgs
// after some iterations of gonum's limited-memory BFGS; those with an L1 part
// by coordinate descent on Newton's model with shrinking (newGLMNET); and
// liblinear's dual by coordinate descent in the dual. [FitBlocks] does the last
// with rows that need not fit into memory. [Result] says whether the tolerance
// was reached, in numbers.
//
// Before an L2 fit, but for the dual's, columns that have their only value in
// the same row are merged into one, which stands for them exactly: most of the
// columns of n-grams. Violations are those of the columns as they are.
//
// Beside it are the log-count ratios of naive Bayes as scales of the columns
// ([NaiveBayes]), multinomial naive Bayes ([FitMultinomial]) and the
// calibration of probabilities ([FitSigmoid], [FitTemperature], [OutOfFold]).
//
// Sums over rows or columns are taken over fixed blocks and added in order, so
// the result does not depend on the number of workers. Products are rounded
// before they are added, so that it does not depend on the processor either;
// gonum's vector routines alone, used for lbfgs, do not promise that.
package linear
