"""What the demo's newsroom has written in English."""

from mirror.demo.story import Story
from mirror.demo.tides import TABLES

STORIES = (
    Story(
        "night-ferry",
        "en",
        "The Night Ferry Runs Again, With One Passenger",
        "Ada Marsh",
        "Mon, 16 Nov 2026 06:30:00 GMT",
        (
            "The night ferry between the old harbour and Gull Island sailed on Sunday for the "
            "first time in eleven weeks. It carried a crew of four, forty crates of bread and, "
            "as the harbour office counted, one passenger.",
            "“I wanted to see whether it would really go,” said the passenger, a retired teacher "
            "named Piet Holm, who had bought his ticket in September and kept it in a book.",
            "The line was stopped on 30 August, after the island’s only landing stage was closed "
            "for repairs. The works were announced for three weeks. They took almost four times "
            "as long, because the piles that the city had ordered were too short.",
            "The harbour office would not say who had measured the water. A spokeswoman said that "
            "the depth “had been taken from a map of 1968, and the sea bed has opinions of its "
            "own.”",
            "From today the ferry leaves at 23:40 each night but Saturday. The fare is unchanged.",
        ),
        caption="The ferry at the old harbour on Sunday night. Ada Marsh / Harbour Courier",
    ),
    Story(
        "tides-2027",
        "en",
        "Every Tide of 2027, at the Old Harbour and at Gull Island",
        "The Harbour Office",
        "Mon, 16 Nov 2026 07:00:00 GMT",
        (
            "The harbour office no longer prints the tide tables. It says that they are on its "
            "site, and its site says that they are printed. Until the two have talked, here is "
            "the whole year: the hour of each water, high and low, and its metres at the wall.",
            *TABLES,
        ),
    ),
    Story(
        "fish-prices",
        "en",
        "Fish Market Prices Fall for the Third Week",
        "Tom Adeyemi",
        "Mon, 16 Nov 2026 10:20:00 GMT",
        (
            "Herring was cheaper than bread on Friday, for the first time since the ice winter. "
            "The stallholders blame good weather; their customers have asked them to stop blaming "
            "it.",
            "| Kind | This week | A week ago | A year ago\n"
            "| Herring | 2.10 | 2.60 | 4.00\n"
            "| Plaice | 7.40 | 7.90 | 9.20\n"
            "| Eel, smoked | 31.00 | 31.00 | 30.00\n"
            "| Mussels, a bucket | 5.00 | 6.50 | 8.00",
            "The eel has not moved. “It never does,” said Hanna Brink, who has sold it for forty "
            "years. “That is how you catch it.”",
        ),
    ),
    Story(
        "school-play",
        "en",
        "Court Orders the Release of a Teacher Held Over a School Play",
        "Lena Roth",
        "Wed, 18 Nov 2026 08:15:00 GMT",
        (
            "The judge read the whole play before ruling. It took her an evening, she said, and "
            "she laughed twice. On Wednesday morning she ordered the release of Jonas Weir, who "
            "had been held for nine days because the mayor in the third act wore a chain.",
            "> A chain of office is not a state secret. It is worn on the outside.",
            "The prosecution had argued that the chain was “unmistakable”. The drama group "
            "answered with the receipt: it came from a hardware shop and had held a bicycle.",
            "## What the ruling says",
            "- A play about a town is not a report on this town.\n"
            "- Whoever recognises himself may say so, at his own cost.\n"
            "- The script goes back to the school, with the judge’s notes in the margin.",
            "Mr. Weir was back in class by noon. The play will be given on Saturday, in the larger "
            "hall.",
        ),
        caption="Jonas Weir at the school gate on Wednesday. Lena Roth / Harbour Courier",
    ),
    Story(
        "water-meters",
        "en",
        "City Council Refuses to Publish Water Readings, So Residents Do",
        "Tom Adeyemi",
        "Thu, 19 Nov 2026 12:00:00 GMT",
        (
            "When the city council took the weekly water readings off its site in October, it "
            "said that the figures “could be misunderstood.” Since Monday anybody can "
            "misunderstand them again: sixty-two households on the eastern slope publish their "
            "own.",
            "Each morning at seven the volunteers take a sample from the kitchen tap, measure it "
            "with a kit that costs less than a cinema ticket, and write the result on a board "
            "outside the pharmacy. In the evening somebody photographs the board.",
            "The readings so far are unremarkable, which the volunteers consider to be the "
            "point. “We did not start because we thought that the water was bad,” said Ines "
            "Calder, who keeps the board. “We started because it was none of our business any "
            "more.”",
            "The council did not answer questions that this newspaper sent on Tuesday and again "
            "on Wednesday. A council member, who asked not to be named, said that the figures "
            "would return “as soon as the form for publishing them has been approved.”",
            "A spare board is kept at the fire station. If the first one should disappear, the "
            "volunteers say, it will be copied before the ink of the order is dry.",
        ),
        teaser=True,
    ),
    Story(
        "lighthouse-diary",
        "en",
        "The Lighthouse Keeper’s Diary Is Read Aloud, One Page a Night",
        "Ada Marsh",
        "Fri, 20 Nov 2026 18:00:00 GMT",
        (
            "At nine each evening somebody climbs the ninety-one steps of the old lighthouse and "
            "reads one page into the radio. The diary has 4,018 pages. The harbour will be "
            "listening until 2037.",
            "It was kept by Marta Quill, who tended the light for thirty-three years and was told "
            "in writing, twice, not to put down what she saw. She put that down too.",
            "> Fog. Two letters from the ministry. Saw nothing, as instructed, until four.",
            "Nobody is in charge of the readings. A list hangs on the door, and whoever signs it "
            "reads. When the list was taken away in October, it turned out that six households "
            "had copied it.",
        ),
        caption="The lamp room, a quarter to nine. Ada Marsh / Harbour Courier",
    ),
    Story(
        "counting-people",
        "en",
        "Two Reporters Fined for Counting People on the Square",
        "The Editors",
        "Sat, 21 Nov 2026 07:30:00 GMT",
        (
            "The police counted four hundred. Two reporters of this newspaper counted three "
            "thousand one hundred and six, with a hand counter, from a balcony, and were fined for "
            "“unlicensed measurement in a public place”.",
            "We publish the count again below, as the fine has been paid and the number therefore "
            "belongs to us.",
            "- At 17:00: 940\n- At 17:30: 2,212\n- At 18:00: 3,106\n"
            "- At 18:30: 3,060, and two dogs",
            "The counter was confiscated. Readers have since sent us eleven.",
        ),
    ),
)
