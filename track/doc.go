// Package track records what was tried and decides what is served: runs with
// parameters, metrics and artifacts, and registered models with versions,
// aliases and stages. Its terms and limits are MLflow's.
//
// [Store] is the one interface. Two packages implement it, and track/tracktest
// holds both to the same contract:
//
//   - track/sqlite keeps a project's store in the file mlflow.db, which a stock
//     MLflow opens, upgrades, reads and writes;
//   - track/mlflow talks to an MLflow server.
//
// track/backend opens the one that the environment asks for.
//
// On top of a store:
//
//   - [LogEvaluation] logs an evaluated model, once for the same inputs, and
//     [Info] is what the next stage reads of it;
//   - [Register] makes the logged model a version of a registered model;
//   - [Promoter] moves versions to production when they pass the gates, keeps
//     the history and rolls back;
//   - [Resolver] finds the model that an address such as
//     models:/sentiment@production means, and brings it here;
//   - [Sync] replays a store into another.
//
// An alias is the truth about what is in production. The stage of the same
// meaning is written along with it, for readers that know only stages.
//
// Nothing here prints, and nothing but the stores knows where data lies.
package track
