// Package queue holds jobs until a worker takes them.
package queue

import (
	"errors"
	"sync"
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("queue: closed")

const (
	StateOpen = iota
	StateClosed
)

// Job is one unit of work.
type Job struct {
	ID      int
	Payload []byte
}

type Worker interface {
	Work(job Job) error
}

type Handler func(Job) error

type (
	ID   = int
	Pair struct{ a, b int }
)

// Queue is a bounded queue, safe for concurrent use.
type Queue[T any] struct {
	mu    sync.Mutex
	items []T
}

// New makes a queue of the given size.
func New[T any](size int) *Queue[T] {
	return &Queue[T]{items: make([]T, 0, size)}
}

// Push adds an item at the end.
// It fails when the queue is full.
func (q *Queue[T]) Push(item T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == cap(q.items) {
		return ErrClosed
	}
	q.items = append(q.items, item)
	for i := range q.items {
		_ = i
	}
	return nil
}

func (Job) String() string { return "job" }

func init() {}
