// Package linear trains logistic regression on sparse rows.
//
// [Fit] minimizes
//
//	C · Σ log(1 + exp(-yᵢ(w·xᵢ + b))) + R(w),   yᵢ = ±1
//
// with R(w) = ½‖w‖² or ‖w‖₁, the intercept b being free of penalty: the
// problem that scikit-learn's LogisticRegression states. (Its liblinear solver
// penalizes the intercept too.)
//
// Both problems are convex, so the solver does not change the model beyond the
// tolerance. For the L2 penalty it is gonum's limited-memory BFGS, or a
// truncated Newton method whose linear systems are solved by preconditioned
// conjugate gradients; for the L1 penalty it is coordinate descent on Newton's
// model of the objective. [Result] says whether the tolerance was reached.
//
// The matrix is kept by rows and by columns, so that every sum belongs to one
// row or one column and is taken in one order: the result does not depend on
// the number of workers. In this package products are rounded before they are
// added, so that the Newton method and coordinate descent do not depend on the
// processor either; gonum's vector routines do.
package linear
