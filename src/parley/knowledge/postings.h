#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace parley::knowledge {

/// The passages that have one word, and how often each has it: packed into one or two bytes a passage, in ascending
/// order.
class Postings {
 public:
  /// Behind the last passage.
  static constexpr std::uint32_t no_passage = std::numeric_limits<std::uint32_t>::max();

  /// `passage` is above all that were added before and below `no_passage`; `count`, how often it has the word, is at
  /// least 1; `length` is how many words it has.
  void add(std::uint32_t passage, std::uint32_t count, std::uint32_t length);
  /// No more will come: gives back the memory that was taken in reserve.
  void finish();

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return sizeof *this + packed_.capacity() + starts_.capacity() * sizeof(Start); }

  /// The shortest passage of each count, of those with one at all: what bounds a weight from above. The last stands for
  /// that count and all above it, up to `count_max`.
  static constexpr std::size_t bounds = 8;
  const std::array<std::uint32_t, bounds>& shortest() const { return shortest_; }
  std::uint32_t count_max() const { return count_max_; }

  /// Goes through a list once. The list must outlive it.
  class Cursor {
   public:
    explicit Cursor(const Postings& postings)
        : postings_(&postings), at_(postings.packed_.data()), end_(postings.packed_.data() + postings.packed_.size()) {
      next();
    }
    std::uint32_t passage() const { return passage_; }  ///< `no_passage` at the end
    std::uint32_t count() const { return count_; }
    void next() {
      if (at_ == end_) {
        passage_ = no_passage;
        return;
      }
      const std::uint64_t step = number();
      passage_ += static_cast<std::uint32_t>(step >> 1);
      count_ = (step & 1) == 0 ? 1 : static_cast<std::uint32_t>(number());
    }
    /// Moves to the first passage from `passage` on, which is never back.
    void seek(std::uint32_t passage);

   private:
    std::uint64_t number() {
      std::uint64_t value = *at_++;
      if (value < 128) return value;
      value &= 127;
      for (unsigned shift = 7;; shift += 7) {
        const std::uint64_t byte = *at_++;
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    }
    const Postings* postings_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::uint32_t passage_ = 0;
    std::uint32_t count_ = 0;
  };

 private:
  static constexpr std::array<std::uint32_t, bounds> make_unset() {
    std::array<std::uint32_t, bounds> made{};
    made.fill(std::numeric_limits<std::uint32_t>::max());
    return made;
  }
  // Where reading can begin: behind `passage`, with the byte `at`.
  struct Start {
    std::uint32_t passage;
    std::uint32_t at;
  };
  static constexpr std::uint32_t start_distance = 64;  // postings: an eighth of a byte each

  void put(std::uint64_t number);
  std::vector<std::uint8_t> packed_;
  std::vector<Start> starts_;
  std::array<std::uint32_t, bounds> shortest_ = make_unset();
  std::uint32_t count_max_ = 0;
  std::uint32_t last_ = 0;
  std::uint32_t size_ = 0;
};

/// How many words each passage has. Numbers of passages that are gone leave holes, which cost nothing once a whole page
/// of them is.
class PassageLengths {
 public:
  static constexpr std::uint32_t page_passages = 2'048;
  using Page = std::array<std::uint32_t, page_passages>;

  /// `passage` is above all that were added before. A copy of this object made earlier does not see it.
  void add(std::uint32_t passage, std::uint32_t length);

  /// Null where no passage of the page was added.
  const Page* page(std::size_t number) const { return number < pages_.size() ? pages_[number].get() : nullptr; }
  /// 0 for what was not added.
  std::uint32_t length(std::uint32_t passage) const {
    const auto* of = page(passage / page_passages);
    return of == nullptr ? 0 : (*of)[passage % page_passages];
  }
  std::uint32_t last() const { return last_; }  ///< passage added; 0: none
  std::size_t count() const { return count_; }  ///< passages added
  std::size_t bytes() const;

 private:
  std::vector<std::shared_ptr<Page>> pages_;
  std::uint32_t last_ = 0;
  std::size_t count_ = 0;
};

/// The Okapi weighting of a word's occurrences, as Xapian computes it.
struct Bm25 {
  double k1 = 1.2;
  double b = 0.7;
  double average_length = 1;
};
/// What one word is worth: `passages` of which `with_word` have it.
double bm25_word_weight(const Bm25& bm25, double passages, double with_word, double share);

struct WeightedPostings {
  const Postings* postings = nullptr;
  double weight = 0;  ///< from `bm25_word_weight`
};

/// Which passages take part.
struct PassageFilter {
  bool restricted = false;                 ///< only those of `only`
  std::vector<const Postings*> only = {};  ///< in at least one of these
  std::vector<const Postings*> withheld = {};
  std::vector<const Postings*> unless = {};  ///< withheld ones that take part all the same
};

struct RankedPassageNumber {
  std::uint32_t passage = 0;
  double weight = 0;
};
struct BestPassages {
  std::vector<RankedPassageNumber> best;  ///< best first, equals by number
  std::uint64_t total = 0;                ///< passages that have a word and take part; counted only if asked
};

/// The `count` passages of the greatest sums of weights. `lengths` has every passage of the lists, with the lengths
/// that they were made with. Words that cannot bring a passage among the best by themselves are only looked up for
/// passages that have others, which changes no result.
enum class CountAll : std::uint8_t { no, yes };
BestPassages best_passages(std::span<const WeightedPostings> words, const PassageLengths& lengths, const Bm25& bm25,
                           const PassageFilter& filter, std::size_t count, CountAll count_all);

}  // namespace parley::knowledge
