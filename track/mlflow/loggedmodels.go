package mlflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/flowrepro/flow/track"
)

type wireLoggedModel struct {
	Info struct {
		ID          string `json:"model_id"`
		Name        string `json:"name"`
		ArtifactURI string `json:"artifact_uri"`
		Status      string `json:"status"`
		SourceRunID string `json:"source_run_id"`
	} `json:"info"`
}

func (w wireLoggedModel) model() track.LoggedModel {
	i := w.Info
	return track.LoggedModel{
		ID: i.ID, Name: i.Name, Root: i.ArtifactURI, RunID: i.SourceRunID,
		Ready: i.Status == "LOGGED_MODEL_READY" || i.Status == "READY",
	}
}

// StartModel implements track.ModelLogger, for MLflow 3.
func (s *Store) StartModel(ctx context.Context, r track.Run, name string) (track.LoggedModel, error) {
	op := "log model '" + name + "'"
	if s.flag(&s.noModels) {
		return track.LoggedModel{}, &track.Error{Op: op, Err: track.ErrUnsupported}
	}
	var out struct{ Model wireLoggedModel }
	// A model that is made twice after a lost answer stays pending and unused.
	err := s.post(ctx, op, "logged-models", object{
		"experiment_id": r.ExperimentID, "name": name, "source_run_id": r.ID,
		"tags": []wirePair{}, "params": []wirePair{},
	}, &out)
	if err == nil && out.Model.Info.ArtifactURI == "" {
		err = &track.Error{Op: op, Err: track.ErrUnsupported}
	}
	if err == nil {
		err = s.post(ctx, op, "runs/outputs", object{
			"run_id": r.ID, "models": []object{{"model_id": out.Model.Info.ID, "step": 0}},
		}, nil)
	}
	if errors.Is(err, track.ErrUnsupported) {
		s.setFlag(&s.noModels)
	}
	return out.Model.model(), err
}

// FinishModel implements track.ModelLogger.
func (s *Store) FinishModel(ctx context.Context, m track.LoggedModel, ok bool) error {
	status := "LOGGED_MODEL_READY"
	if !ok {
		status = "LOGGED_MODEL_UPLOAD_FAILED"
	}
	return s.call(ctx, request{
		op: "log model '" + m.Name + "'", endpoint: s.tracking, method: http.MethodPatch,
		path: "logged-models/" + url.PathEscape(m.ID), body: object{"model_id": m.ID, "status": status},
	}, nil)
}

// LoggedModel implements track.ModelLogger.
func (s *Store) LoggedModel(ctx context.Context, id string) (track.LoggedModel, error) {
	var out struct{ Model wireLoggedModel }
	err := s.get(ctx, "get model '"+id+"'", "logged-models/"+url.PathEscape(id), nil, &out)
	return out.Model.model(), err
}

// RunModels implements track.ModelLogger.
func (s *Store) RunModels(ctx context.Context, r track.Run) ([]track.LoggedModel, error) {
	w, err := s.wireRun(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var list []track.LoggedModel
	for _, o := range w.Outputs.Models {
		m, err := s.LoggedModel(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}
