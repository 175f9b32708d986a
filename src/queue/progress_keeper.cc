#include "queue/progress_keeper.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "queue/store_trouble.h"

namespace seedcore::queue {
namespace {

constexpr std::size_t kMaxReports = 256;
constexpr std::size_t kMaxNoteBytes = 1000;

/// What a handler says never makes it fail.
Progress InRange(Progress progress) {
  if (!(progress.fraction >= 0.0)) progress.fraction = 0.0;
  progress.fraction = std::min(progress.fraction, 1.0);
  if (progress.note.size() > kMaxNoteBytes) {
    std::size_t end = kMaxNoteBytes;
    while (end > 0 && (static_cast<unsigned char>(progress.note[end]) & 0xC0U) == 0x80U) --end;  // a whole character
    progress.note.resize(end);
  }
  if (!store::CheckProgress(progress)) progress.data = nullptr;
  return progress;
}

}  // namespace

class ProgressKeeper::State {
 public:
  State(Env& env, store::TaskStore& store, Metrics& metrics, std::function<void()> on_refused,
        ProgressSettings settings)
      : env_(env),
        store_(store),
        on_refused_(std::move(on_refused)),
        settings_(settings),
        dropped_(metrics.GetCounter("seedcore_progress_dropped_total", "Reports of progress beyond what is kept.")),
        trouble_(env, "progress keeper", "write") {}

  void Note(const store::Lease& lease, Progress progress) {
    const std::scoped_lock lock(mutex_);
    Entry* entry = stopped_ ? nullptr : EntryOf(lease);
    if (entry == nullptr) return;
    entry->pending = std::move(progress);
    Wake();
  }

  Result<store::ProgressAnswer> Report(const store::Lease& lease, Progress progress) {
    SEEDCORE_RETURN_IF_ERROR(store::CheckProgress(progress));
    {
      const std::scoped_lock lock(mutex_);
      if (stopped_) return Fail(ErrorCode::kUnavailable, "the server is stopping");
      Entry* entry = EntryOf(lease);
      if (entry == nullptr) return Fail(ErrorCode::kResourceExhausted, "too many tasks report their progress");
      if (env_.Now() < entry->write_at) {
        entry->pending = std::move(progress);
        Wake();
        return entry->answer;
      }
      entry->pending.reset();
      entry->write_at = env_.Now() + settings_.period;
    }
    const store::ProgressReport report{lease, std::move(progress)};
    SEEDCORE_ASSIGN_OR_RETURN(const auto answers, store_.ReportProgress({&report, 1}));
    const std::scoped_lock lock(mutex_);
    TakeAnswer(KeyOf(lease), answers.front());
    return answers.front();
  }

  void Loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto pause = WriteDue();
      if (pause) {
        if (!env_.SleepFor(*pause, stop)) return;
        continue;
      }
      std::unique_lock lock(mutex_);
      // While nobody reports anything, no clock is waited for.
      if (!changed_.wait(lock, stop, [&] { return !entries_.empty(); })) return;
      const Instant next = NextDue();
      if (next <= env_.Now()) continue;
      env_.WaitUntil(lock, changed_, next, stop, [&] { return NextDue() < next; });
    }
  }

  void Close() {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    entries_.clear();
  }

 private:
  using Key = std::pair<std::string, std::int64_t>;  // task and token
  struct Entry {
    store::Lease lease;
    std::optional<Progress> pending;
    Instant write_at;  ///< not before
    store::ProgressAnswer answer{.accepted = true};
  };

  static Key KeyOf(const store::Lease& lease) { return {lease.task_id, lease.fencing_token}; }

  // All of these under mutex_:
  Entry* EntryOf(const store::Lease& lease) {
    const auto found = entries_.find(KeyOf(lease));
    if (found != entries_.end() && found->second.lease.owner_id == lease.owner_id) return &found->second;
    if (entries_.size() >= settings_.max_tasks) {
      dropped_.Increment();
      return nullptr;
    }
    Entry entry{.lease = lease, .pending = {}, .write_at = env_.Now()};
    Wake();  // to be forgotten again
    return &(entries_[KeyOf(lease)] = std::move(entry));
  }
  void Wake() { changed_.notify_all(); }
  /// When something is to be written or forgotten.
  Instant NextDue() const {
    Instant next = Instant::max();
    for (const auto& [key, entry] : entries_) next = std::min(next, entry.write_at);
    return next;
  }
  void TakeAnswer(const Key& key, const store::ProgressAnswer& answer) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    found->second.answer = answer;
    if (!answer.accepted) entries_.erase(found);
  }

  /// Writes one batch. A pause when the store fails.
  std::optional<std::chrono::milliseconds> WriteDue() {
    std::vector<store::ProgressReport> reports;
    std::vector<Key> keys;
    {
      const std::scoped_lock lock(mutex_);
      const Instant now = env_.Now();
      for (auto entry = entries_.begin(); entry != entries_.end() && reports.size() < kMaxReports;) {
        if (entry->second.write_at > now) {
          ++entry;
        } else if (!entry->second.pending) {
          entry = entries_.erase(entry);
        } else {
          keys.push_back(entry->first);
          reports.push_back({entry->second.lease, *std::exchange(entry->second.pending, std::nullopt)});
          entry->second.write_at = now + settings_.period;
          ++entry;
        }
      }
    }
    if (reports.empty()) return std::nullopt;
    const auto answers = store_.ReportProgress(reports);
    // What could not be written is out of date by the time the store works again.
    if (!answers) return trouble_.Failed(answers.error());
    trouble_.Succeeded();
    bool refused = false;
    {
      const std::scoped_lock lock(mutex_);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        TakeAnswer(keys[i], (*answers)[i]);
        refused = refused || !(*answers)[i].accepted;
      }
    }
    if (refused && on_refused_) on_refused_();
    return std::nullopt;
  }

  Env& env_;
  store::TaskStore& store_;
  const std::function<void()> on_refused_;
  const ProgressSettings settings_;
  Counter& dropped_;
  StoreTrouble trouble_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  std::map<Key, Entry> entries_;
  bool stopped_ = false;
};

class ProgressKeeper::Reporter final : public LeaseProgress {
 public:
  using Find = std::function<std::optional<store::Lease>()>;
  Reporter(std::shared_ptr<State> state, Find find) : state_(std::move(state)), find_(std::move(find)) {}
  void Report(Progress progress) override {
    if (const auto held = lease()) state_->Note(*held, InRange(std::move(progress)));
  }
  [[nodiscard]] std::optional<store::Lease> lease() const override { return find_(); }

 private:
  const std::shared_ptr<State> state_;
  const Find find_;
};

ProgressKeeper::ProgressKeeper(Env& env, store::TaskStore& store, Metrics& metrics, std::function<void()> on_refused,
                               ProgressSettings settings)
    : state_(std::make_shared<State>(env, store, metrics, std::move(on_refused), settings)),
      thread_([state = state_.get()](const std::stop_token& stop) { state->Loop(stop); }) {}

ProgressKeeper::~ProgressKeeper() { Stop(); }

std::shared_ptr<LeaseProgress> ProgressKeeper::For(const std::shared_ptr<Execution>& execution) {
  return std::make_shared<Reporter>(state_, [held = std::weak_ptr(execution)]() -> std::optional<store::Lease> {
    const auto running = held.lock();
    if (!running) return std::nullopt;
    return running->claim.lease();
  });
}

std::shared_ptr<LeaseProgress> ProgressKeeper::For(store::Lease lease) {
  return std::make_shared<Reporter>(state_, [lease = std::move(lease)] { return std::optional(lease); });
}

Result<store::ProgressAnswer> ProgressKeeper::Report(const store::Lease& lease, Progress progress) {
  return state_->Report(lease, std::move(progress));
}

void ProgressKeeper::Stop() {
  state_->Close();
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace seedcore::queue
