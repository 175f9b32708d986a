// River's part in the queue benchmark; the commands are those of bench/queue/seedcore_drain.cc. BENCH_DSN names the
// database.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type taskArgs struct {
	Series string `json:"series"`
	Window int    `json:"window"`
	SentUs int64  `json:"sent_us,omitempty"`
}

func (taskArgs) Kind() string { return "bench" }

func sample() taskArgs { return taskArgs{Series: "nyc_taxi", Window: 48} }

type worker struct {
	river.WorkerDefaults[taskArgs]
	hang     bool
	executed atomic.Int64
	mutex    sync.Mutex // guards latency
	latency  []int64
}

func (w *worker) Work(ctx context.Context, job *river.Job[taskArgs]) error {
	if job.Args.SentUs != 0 {
		late := time.Now().UnixMicro() - job.Args.SentUs
		w.mutex.Lock()
		w.latency = append(w.latency, late)
		w.mutex.Unlock()
	}
	if w.hang {
		report(map[string]any{"started": job.ID})
		<-ctx.Done()
	}
	w.executed.Add(1)
	return nil
}

func report(line map[string]any) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

type options struct {
	count, uncounted, clients, batch int
	rate                             float64
	lease                            time.Duration
	hang                             bool
}

// clients runs each on as many goroutines; it is given the number of the task.
func (o options) each(run func(number int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	failures := make(chan error, o.clients)
	for range o.clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				number := int(next.Add(1)) - 1
				if number >= o.count {
					return
				}
				if err := run(number); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	wait.Wait()
	close(failures)
	return <-failures
}

func work(ctx context.Context, driver *riverpgxv5.Driver, o options) error {
	w := &worker{hang: o.hang}
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	config := &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.batch}},
		Workers: workers,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		// The smallest that River allows: its default of 100 ms bounds both throughput and the time to start.
		FetchCooldown:     time.Millisecond,
		FetchPollInterval: 100 * time.Millisecond,
	}
	if o.lease > 0 {
		config.JobTimeout = o.lease - time.Millisecond
		config.RescueStuckJobsAfter = o.lease
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return err
	}
	report(map[string]any{"ready": true})
	bufio.NewReader(os.Stdin).ReadString('\n') // go
	if err := client.Start(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for told, running := int64(0), true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(20 * time.Millisecond):
			if now := w.executed.Load(); now != told {
				told = now
				report(map[string]any{"done": told})
			}
		}
	}
	stopping, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := client.Stop(stopping); err != nil {
		return err
	}
	report(map[string]any{"done": w.executed.Load(), "latency_us": w.latency})
	return nil
}

func insertMany(ctx context.Context, client *river.Client[pgx.Tx], o options) error {
	for left := o.count; left > 0; {
		many := make([]river.InsertManyParams, min(o.batch, left))
		for i := range many {
			many[i].Args = sample()
		}
		if _, err := client.InsertManyFast(ctx, many); err != nil {
			return err
		}
		left -= len(many)
	}
	return nil
}

func run(ctx context.Context, command string, arguments []string) error {
	var o options
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	flags.IntVar(&o.count, "count", 1000, "")
	flags.IntVar(&o.uncounted, "uncounted", 0, "")
	flags.IntVar(&o.clients, "clients", 32, "")
	flags.IntVar(&o.batch, "batch", 100, "")
	flags.Float64Var(&o.rate, "rate", 50, "")
	lease := flags.Int("lease", 0, "milliseconds")
	flags.BoolVar(&o.hang, "hang", false, "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	o.lease = time.Duration(*lease) * time.Millisecond
	config, err := pgxpool.ParseConfig(os.Getenv("BENCH_DSN"))
	if err != nil {
		return err
	}
	config.MaxConns = 34
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	if command == "work" {
		return work(ctx, driver, o)
	}
	if command == "setup" {
		migrator, err := rivermigrate.New(driver, nil)
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	client, err := river.NewClient(driver, &river.Config{})
	if err != nil {
		return err
	}
	insert := func(task taskArgs) error {
		_, err := client.Insert(ctx, task, nil)
		return err
	}
	start := time.Now()
	switch command {
	case "enqueue":
		err = o.each(func(int) error { return insert(sample()) })
	case "fill":
		err = insertMany(ctx, client, o)
	case "pace":
		period := float64(time.Second) / o.rate
		err = o.each(func(number int) error {
			time.Sleep(time.Until(start.Add(time.Duration(float64(number) * period))))
			task := sample()
			if number >= o.uncounted {
				task.SentUs = time.Now().UnixMicro()
			}
			return insert(task)
		})
	default:
		err = errors.New("no such command: " + command)
	}
	report(map[string]any{"count": o.count, "seconds": time.Since(start).Seconds()})
	return err
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: river setup|enqueue|fill|pace|work [OPTIONS]")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
