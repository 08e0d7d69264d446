"""Captions: a phrase in a template, sometimes with a background, sometimes as badly typed as people type.

Every caption is drawn anew, so training never sees an epoch twice. A caption that equals a held-out paraphrase is drawn again.
"""

import collections
import random
import re

import phrases

# name, RGB, words in English and in Chinese; the first word is the one that tests use. The first colour is the default.
COLOURS = [
    ("white", (255, 255, 255), ["white", "plain white", "blank"], ["白色", "白", "纯白"]),
    ("red", (220, 60, 60), ["red", "crimson"], ["红色", "红", "大红"]),
    ("orange", (245, 150, 50), ["orange"], ["橙色", "橘色", "橘黄色"]),
    ("yellow", (250, 215, 80), ["yellow"], ["黄色", "黄"]),
    ("green", (90, 180, 95), ["green"], ["绿色", "绿"]),
    ("cyan", (70, 195, 200), ["cyan", "turquoise", "teal"], ["青色", "青绿色"]),
    ("light blue", (170, 215, 250), ["light blue", "sky blue", "pale blue", "baby blue"], ["浅蓝色", "天蓝色", "淡蓝色"]),
    ("blue", (65, 110, 220), ["blue", "dark blue"], ["蓝色", "蓝", "深蓝色"]),
    ("purple", (150, 85, 200), ["purple", "violet"], ["紫色", "紫"]),
    ("pink", (250, 170, 195), ["pink", "rosy"], ["粉色", "粉红色", "粉红"]),
    ("brown", (140, 95, 65), ["brown"], ["棕色", "褐色", "咖啡色"]),
    ("grey", (150, 150, 150), ["grey", "gray"], ["灰色", "灰"]),
    ("black", (25, 25, 25), ["black", "dark"], ["黑色", "黑"]),
]
HEADS = {
    "en": ["", "", "", "a ", "the ", "an emoji of ", "a picture of ", "a picture of a ", "draw ", "draw a ", "draw me a ", "icon of ",
           "show me ", "show me a ", "i want a ", "please draw a ", "can you draw a ", "a cute ", "a small ", "an icon of a ",
           "an image of ", "create a ", "make a ", "give me a ", "a drawing of ", "emoji: ", "i need ", "generate ", "one ", "my ",
           "some ", "this is a ", "there is a ", "paint a ", "a nice ", "an illustration of ", "sticker of a ", "sketch a ",
           "a single ", "a lovely ", "a simple ", "it's a ", "here comes a ", "look, a ", "we need the picture for ", "please show ",
           "i am looking for ", "looking for a ", "do you have ", "is there a ", "my favourite: ", "the one with ", "that ", "let me see ",
           "let me have a ", "put a ", "add a ", "insert ", "type ", "reply with ", "text him ", "how about a ", "what about ", "would like ",
           "i'd like to see a ", "could you paint ", "could we see a ", "find me ", "choose ", "pick a ", "print ", "just a ", "only a ",
           "the famous ", "a typical ", "the usual ", "an ordinary ", "a beautiful ", "a big ", "a little ", "a tiny ", "a funny ",
           "prompt: ", "subject: ", "today: ", "something called ", "the thing called ", "known as ", "meaning ", "which stands for ",
           "the sign for ", "the symbol of ", "a symbol for ", "an emoticon of ", "a smiley of ", "a pictogram of ", "a cartoon of ",
           "a photo of ", "a painting of ", "a logo of ", "a badge of ", "a close-up of ", "one small ", "two words: "],
    "zh": ["", "", "", "一个", "画一个", "请画", "请画一个", "来个", "来一个", "我想要", "给我画", "帮我画", "帮我画一个", "一只", "一张",
           "可爱的", "小小的", "生成", "生成一个", "画", "做一个", "表情：", "我要", "给我一个", "这是", "那个", "一幅", "我想看", "图片：",
           "设计一个", "有一个", "有", "漂亮的", "好看的", "你能画", "能不能画一个", "简单的", "我的", "一些", "这里有", "请给我看", "麻烦画个",
           "帮忙找一下", "我需要", "需要一个", "有没有", "找一个", "给他发", "回复一个", "打出", "输入", "插入", "加一个", "换成", "选一个",
           "就要", "只要", "最喜欢的", "今天想画", "我们来画", "教我画", "画一下", "画出", "绘制", "绘制一个", "创作一个", "展示", "看一看",
           "名叫", "叫做", "所谓的", "代表", "表示", "象征", "意思是", "一枚", "一只小", "小", "大", "普通的", "典型的", "有名的", "经典的",
           "主题：", "内容：", "题目：", "关键词：", "卡通", "手绘", "一个关于", "关于", "像是", "就是那个", "微信里的", "手机上的", "网上的"],
}
TAILS = {
    "en": ["", "", "", "", " emoji", " icon", " please", " picture", ", simple", ", flat icon", " image", " symbol", " sticker",
           ", emoji style", " for me", ", cartoon", " drawing", " for a chat", ", clean", " now", ", nothing else", " clip art",
           " or so", " again", ", thanks", " if you can", " today", " in colour", " as a sign", " pictogram", " badge", " logo",
           " emoticon", " artwork", " for my message", " in a text", " to my mum", ", would you", ", you know", " for the website",
           " in the usual style", " on my phone", " as an image", ", drawn simply", " with nothing around", " character", " print"],
    "zh": ["", "", "", "", "的表情", "表情", "图标", "的图片", "的图", "表情符号", "，简单", "的图案", "，卡通", "的样子", "吧", "贴纸",
           "的小图标", "，谢谢", "的画", "，扁平风格", "的符号", "小图", "的标志", "的形象", "的插画", "的头像", "的贴图", "的简笔画", "好吗",
           "可以吗", "呗", "啊", "给我", "给大家看", "，要简单", "，拜托", "一下", "那种", "之类的", "这个", "，不要别的", "的卡通图", "的照片"],
}
BACKGROUNDS = {
    "en": ["{p} on a {c} background", "{p} on {c}", "{p}, {c} background", "{c} background, {p}", "{p} with a {c} background",
           "{p} in front of a {c} wall", "{p} against {c}", "on a {c} background: {p}", "{p} with {c} behind it",
           "{p}, background {c}", "{p} on a {c} canvas", "{p} over a {c} backdrop", "{p} with {c} background colour"],
    "zh": ["{c}背景的{p}", "{p}，{c}背景", "{c}背景上的{p}", "{p}，背景是{c}", "{c}底的{p}", "{p}，{c}底", "在{c}背景上画{p}",
           "背景{c}，{p}", "{c}背景，{p}", "{p}在{c}背景上", "{p}，用{c}背景", "{p}，背景为{c}的"],
}
# Only tests use these.
UNSEEN_TEMPLATES = {
    "en": ["could i get {p} in emoji form", "what does {p} look like", "{p} as a little picture", "the well known {p} glyph",
           "send your friend {p}", "something like {p}"],
    "zh": ["发给朋友{p}", "{p}长什么样", "想看看{p}是什么样子的", "把{p}画成小图片", "聊天时用的{p}", "类似{p}这样的"],
}
WEIGHTS = {"en": {"name": 3, "written": 6, "keyword": 1.5, "wordnet": 1.5}, "zh": {"name": 3, "written": 6, "keyword": 2}}
JUNK = "really very just maybe kind of nice little big with and so good quality new fun".split()
JUNK_ZH = "很 的 了 吧 呢 啊 真 好 大 小 老 呀 和 最".split()

# Between the words of a description.
STARTS = ["", "", "", "a ", "the ", "something ", "thing ", "it is ", "one that is ", "someone ", "what is ", "it has ", "place ", "used for "]
JOINTS = ["", "", "", "", ",", " that", " with", " and", " of", " in", " for", " who", " which", " has", " is", " you", " to", " on",
          " from", " a", " the", " whose", " as", " by", " at", " it", " very", " when", " like", " are"]
STARTS_ZH = ["", "", "", "", "一个", "一种", "很", "会", "有", "用来", "那个", "能", "在", "可以", "最"]
JOINTS_ZH = ["", "", "", "", "的", "的", "，", "会", "有", "在", "和", "很", "里", "是", "里的", "上", "用", "着", "时", "时候", "能", "了", "又", "最", "把"]
ENDS_ZH = ["", "", "", "", "", "的", "的东西", "的动物", "的人", "的样子", "的地方", "的工具", "的食物", "了"]
TELLING_TIMES, TELLING_SHARE = 2, 1 / 3  # a word in so many phrases or more, and the part of them that is the emoji's


def telling_words(table, language):
    """Of each emoji, the words that mean it by themselves"""
    counts = [collections.Counter(entry[language]["words"]) for entry in table]
    total = collections.Counter()
    for count in counts:
        total.update(count)
    return [[word for word, times in count.items() if total[word] >= TELLING_TIMES and times >= TELLING_SHARE * total[word]]
            for count in counts]


class Captions:
    """Draws captions for a table of phrases. Cheap: tens of microseconds a caption."""

    def __init__(self, table, seed, described=0.0):
        """`described`: share of the captions that are loose words about the emoji"""
        self.random = random.Random(seed)
        self.described = described
        self.table = table
        self.held_out = phrases.held_out_keys()
        self.telling = {language: telling_words(table, language) for language in ("en", "zh")}

    def phrase(self, emoji, language):
        groups = [(origin, self.table[emoji][language][origin]) for origin in WEIGHTS[language]
                  if self.table[emoji][language][origin]]
        weights = [WEIGHTS[language][origin] * min(1, 0.4 + 0.2 * len(found)) for origin, found in groups]
        return self.random.choice(self.random.choices(groups, weights)[0][1])

    def two_phrases(self, emoji, language):
        first, second = self.phrase(emoji, language), self.phrase(emoji, language)
        joints = [", ", " ", " or ", " - ", ", a "] if language == "en" else ["，", "、", "", "的", "，就是"]
        return first + self.random.choice(joints) + second

    def description(self, emoji, language):
        """A word that says it all, or some of what is known about the emoji, in any order, with words between that mean little"""
        r = self.random
        telling = self.telling[language][emoji]
        if telling and r.random() < 0.2:
            return r.choice(telling)
        words = self.table[emoji][language]["words"]
        if len(words) < 4:
            return self.phrase(emoji, language)
        chosen = r.sample(words, min(len(words), r.choice((2, 3, 3, 4, 4, 5))))
        if r.random() < 0.3:
            chosen[r.randrange(len(chosen))] = self.phrase(emoji, language)
        if language == "zh":
            return r.choice(STARTS_ZH) + "".join(word + r.choice(JOINTS_ZH) for word in chosen[:-1]) + chosen[-1] + r.choice(ENDS_ZH)
        return r.choice(STARTS) + " ".join(word + r.choice(JOINTS) for word in chosen[:-1]) + " " + chosen[-1]

    def typo(self, text):
        place = self.random.randrange(len(text))
        kind = self.random.randrange(3)
        if kind == 0:
            return text[:place] + text[place + 1:]
        if kind == 1 and place + 1 < len(text):
            return text[:place] + text[place + 1] + text[place] + text[place + 2:]
        return text[:place] + self.random.choice("abcdefghijklmnopqrstuvwxyz") + text[place + 1:]

    def disturb(self, text, language):
        """Wrong letters, lost words, other order, words without meaning."""
        r = self.random
        if language == "zh":
            if len(text) > 3 and r.random() < 0.10:
                place = r.randrange(len(text))
                text = text[:place] + text[place + 1:]
            if r.random() < 0.08:
                place = r.randrange(len(text) + 1)
                text = text[:place] + r.choice(JUNK_ZH) + text[place:]
            if r.random() < 0.05:
                pieces = re.split("(?<=[的，、])", text)
                r.shuffle(pieces)
                text = "".join(pieces)
            return text
        words = text.split()
        if len(words) > 2 and r.random() < 0.12:
            del words[r.randrange(len(words))]
        if len(words) > 1 and r.random() < 0.06:
            r.shuffle(words)
        if r.random() < 0.10:
            words.insert(r.randrange(len(words) + 1), r.choice(JUNK))
        text = " ".join(words)
        return self.typo(text) if len(text) > 5 and r.random() < 0.07 else text

    def finish(self, text, language):
        r = self.random
        if language == "en":
            kind = r.random()
            text = text.lower() if kind < 0.7 else text if kind < 0.85 else text.capitalize() if kind < 0.96 else text.upper()
        else:
            text = text.replace("，", r.choice("，，,  "))
        return text.strip() + (r.choice([".", "!", "。", "！", "?"]) if r.random() < 0.08 else "")

    def draw(self, emoji, background):
        """A caption for a picture of `emoji` on colour number `background`; white needs no words."""
        r = self.random
        language = "zh" if r.random() < 0.48 else "en"
        while True:
            described = self.described and r.random() < self.described
            if described:
                text = self.description(emoji, language)
            else:
                text = self.phrase(emoji, language) if r.random() < 0.85 else self.two_phrases(emoji, language)
            plain = r.random() < (0.7 if described else 0.25)
            if not plain:
                text = r.choice(HEADS[language]) + text + r.choice(TAILS[language])
            if r.random() < (0.0 if plain else 0.5):
                text = self.disturb(text, language)
            if background or r.random() < 0.04:
                colour = r.choice(COLOURS[background][2 if language == "en" else 3])
                text = r.choice(BACKGROUNDS[language]).format(p=text, c=colour)
            text = self.finish(text, language)
            if text and phrases.normalise(text) not in self.held_out:
                return text

    def background(self):
        return self.random.randrange(1, len(COLOURS)) if self.random.random() < 0.3 else 0
