package store

import (
	"context"
	"database/sql"
	"errors"
)

// sessionTable remembers which device a session was paired as. It is written together with the device: a caller that
// dies before it hears of the pairing finds the device again by the session's name.
type sessionTable struct {
	db   *sql.DB
	name string
}

func (t sessionTable) create(ctx context.Context) error {
	_, err := t.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS malote_session (name TEXT PRIMARY KEY, device TEXT NOT NULL)`)
	return err
}

// device returns the session's device, or an empty string.
func (t sessionTable) device(ctx context.Context) (string, error) {
	if t.name == "" {
		return "", nil
	}
	var device string
	err := t.db.QueryRowContext(ctx, `SELECT device FROM malote_session WHERE name = $1`, t.name).Scan(&device)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return device, err
}

func (t sessionTable) remember(ctx context.Context, device string) error {
	if t.name == "" {
		return nil
	}
	_, err := t.db.ExecContext(ctx, `
		INSERT INTO malote_session (name, device) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET device = excluded.device`, t.name, device)
	return err
}
