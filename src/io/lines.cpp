// SPDX-License-Identifier: Apache-2.0
#include "src/io/lines.hpp"

#include <cavi/error.hpp>

#include <cstring>

namespace cavi::io {

bool LineReader::next(std::string_view& line) {
  std::size_t scanned = begin_;
  for (;;) {
    if (after_return_ && begin_ < end_) {
      after_return_ = false;
      if (buffer_[begin_] == '\n') scanned = ++begin_;
    }
    while (scanned < end_ && buffer_[scanned] != '\n' && buffer_[scanned] != '\r') ++scanned;
    if (scanned < end_) break;
    const std::size_t unread = scanned - begin_;
    if (!fill()) {
      if (begin_ == end_) return false;
      line = {buffer_.data() + begin_, unread};
      begin_ = end_;
      return true;
    }
    scanned = begin_ + unread;
  }
  line = {buffer_.data() + begin_, scanned - begin_};
  after_return_ = buffer_[scanned] == '\r';
  begin_ = scanned + 1;
  return true;
}

/// Moves what is left to the front and reads on behind it; false at the end of the text.
bool LineReader::fill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  constexpr std::size_t kLongest = 128 << 20;  // memory for what is no text
  if (end_ == kLongest) throw IoError(name_ + ": a line has more than 128 MiB; this is no text");
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  const std::size_t got = read_(buffer_.data() + end_, buffer_.size() - end_);
  end_ += got;
  return got > 0;
}

}  // namespace cavi::io
