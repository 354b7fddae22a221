#include "forge_rt/core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "forge_rt/core/error.h"
#include "platform.h"

namespace forge_rt {
namespace {

thread_local bool inside_parallel_for = false;

// One parallel_for in flight. Lives on the heap: a worker may look at a finished job once more. Used again when none does.
struct Job {
  const std::function<void(std::int64_t)>* body;
  std::int64_t count;
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> done{0};
  std::atomic<int> helpers_wanted;
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr failure;

  void work() {
    inside_parallel_for = true;
    for (std::int64_t i; (i = next.fetch_add(1)) < count;) {
      try {
        (*body)(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        // Indices nobody took yet count as done, so that the caller returns soon.
        const std::int64_t untaken = count - std::min(count, next.exchange(count));
        done.fetch_add(untaken);
      }
      if (done.fetch_add(1) + 1 == count) {
        const std::lock_guard lock(mutex);
        finished.notify_all();
      }
    }
    inside_parallel_for = false;
  }
};

class Pool {
 public:
  void run(std::int64_t count, const std::function<void(std::int64_t)>& body, int threads) {
    std::shared_ptr<Job> job;
    {
      const std::lock_guard lock(mutex_);
      while (static_cast<int>(workers_) < threads - 1) {
        jobs_.push_back(std::make_shared<Job>());  // a late worker keeps one busy
        std::thread([this] { loop(); }).detach();
        ++workers_;
      }
      job = idle_job();
      job->body = &body;
      job->count = count;
      job->next = 0;
      job->done = 0;
      job->helpers_wanted = static_cast<int>(std::min<std::int64_t>(threads, count)) - 1;
      queue_.push_back(job);
    }
    wake_.notify_all();
    job->work();
    {
      std::unique_lock lock(job->mutex);
      job->finished.wait(lock, [&] { return job->done.load() >= count; });
    }
    const std::exception_ptr failure = std::exchange(job->failure, nullptr);
    {
      const std::lock_guard lock(mutex_);
      std::erase(queue_, job);
    }
    if (failure) std::rethrow_exception(failure);
  }

 private:
  // A job that only jobs_ holds. Workers give theirs back under the lock, so the count is exact.
  std::shared_ptr<Job> idle_job() {
    for (const std::shared_ptr<Job>& job : jobs_)
      if (job.use_count() == 1) return job;
    jobs_.push_back(std::make_shared<Job>());
    return jobs_.back();
  }

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::shared_ptr<Job> job;
      wake_.wait(lock, [&] {
        for (auto& candidate : queue_) {
          if (candidate->next.load() < candidate->count && candidate->helpers_wanted.load() > 0) {
            candidate->helpers_wanted.fetch_sub(1);
            job = candidate;
            return true;
          }
        }
        return false;
      });
      lock.unlock();
      job->work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Job>> queue_;                         // in flight
  std::vector<std::shared_ptr<Job>> jobs_{std::make_shared<Job>()};  // all: one for each thread, more where many call at once
  int workers_ = 0;
};

// The pool is never destroyed (its threads are detached and sleep), and a forked child, which has none of the
// parent's threads, gets a new one.
std::mutex pool_mutex;
Pool* pool = nullptr;
long pool_process = 0;

Pool& the_pool() {
  const std::lock_guard lock(pool_mutex);
  if (pool == nullptr || pool_process != platform::process_id()) {
    pool = new Pool;
    pool_process = platform::process_id();
  }
  return *pool;
}

int default_threads() {
  if (const char* text = std::getenv("FORGE_RT_THREADS")) {
    const int n = std::atoi(text);
    if (n >= 1 && n <= 256) return n;
  }
  return std::clamp(platform::usable_cores(), 1, 8);
}

std::atomic<int> thread_count{0};

}  // namespace

int num_threads() {
  const int n = thread_count.load();
  return n > 0 ? n : default_threads();
}

void set_num_threads(int n) {
  check_argument(n >= 1 && n <= 256, "threads must be 1..256, got ", n);
  thread_count.store(n);
}

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  if (count <= 0) return;
  const int threads = num_threads();
  if (count == 1 || threads == 1 || inside_parallel_for) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  the_pool().run(count, body, threads);
}

void parallel_for_ranges(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
  grain = std::max<std::int64_t>(grain, 1);
  const auto range = [&](std::int64_t i) { body(i * grain, std::min(count, (i + 1) * grain)); };
  parallel_for((count + grain - 1) / grain, std::cref(range));  // by reference: a copy would not fit std::function's own memory
}

}  // namespace forge_rt
