#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

// Internal to the server: Asio as its loops use it, and the one way to it for their parts.
namespace seedcore::net {

/// Every connection lives on one loop, so its executor needs no type erasure.
using LoopExecutor = boost::asio::io_context::executor_type;
/// TCP, or a Unix socket (same_host.h).
using LoopSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, LoopExecutor>;

using Coroutine = boost::asio::awaitable<void, LoopExecutor>;
inline constexpr boost::asio::use_awaitable_t<LoopExecutor> kAwait;
inline constexpr auto kAwaitTuple = boost::asio::as_tuple(kAwait);

}  // namespace seedcore::net
