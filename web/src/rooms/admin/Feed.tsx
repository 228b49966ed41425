import { useState } from "react";
import { Link, useParams } from "react-router";
import { Button, Empty, ErrorState, Facts, Panel, SkeletonRows, Tabs } from "../../kit";
import { nameIn, useAdminList, useFacilities } from "./data";
import { FeedDialog, feedsOf } from "./Feeds";
import { FeedMapping } from "./FeedMapping";
import { FeedPreview } from "./FeedPreview";
import { Active } from "./Sites";
import type { Endpoint } from "./types";
import "./feeds.css";

type Part = "mapping" | "try";

/** One feed: its settings, where its values stand, and a message tried. */
export function Feed() {
  const { feedId = "" } = useParams();
  const list = useAdminList<Endpoint>("endpoints");
  const facilities = useFacilities();
  const [part, setPart] = useState<Part>("mapping");
  const [changing, setChanging] = useState(false);
  const feed = feedsOf(list.data)?.find((one) => one.id === feedId);
  if (list.isError) return <ErrorState error={list.error} retry={() => void list.refetch()} action={<Link to="/admin/feeds">All feeds</Link>} />;
  if (!list.data) return <SkeletonRows rows={10} />;
  if (!feed)
    return (
      <Empty title="There is no such feed" icon="link" action={<Link to="/admin/feeds">All feeds</Link>}>
        It may be another organisation's.
      </Empty>
    );
  return (
    <div className="fd">
      <header className="rdr-h">
        <div>
          <div className="row">
            <span className="rn">{feed.name}</span>
            <Active on={feed.is_active} />
          </div>
          <div className="q">
            <Link className="lnk" to="/admin/feeds">
              All feeds
            </Link>
          </div>
        </div>
        <span className="grow" />
        <Button onClick={() => setChanging(true)}>Change settings</Button>
      </header>
      <div className="fd-g">
        <section className="panel clip" aria-label="The feed's values">
          <div className="ph tabbed">
            <Tabs
              label="The feed's values"
              tabs={[
                { id: "mapping", label: "Where values stand" },
                { id: "try", label: "Paste a message" },
              ]}
              value={part}
              onChange={(id) => setPart(id as Part)}
            />
          </div>
          {part === "mapping" ? <FeedMapping key={JSON.stringify(feed.mapping)} feed={feed} /> : <FeedPreview feed={feed} />}
        </section>
        <Panel className="clip" title="Settings">
          <div className="fd-s scroll">
            <Facts
              facts={[
                ["Facility", nameIn(facilities.data, feed.facility_id)],
                ["MSH-3", <span className="num">{feed.application}</span>],
                ["MSH-4", <span className="num">{feed.facility_name}</span>],
                ["From", feed.host ?? "any address"],
                ["Characters", feed.charset],
                ["TLS", feed.tls_required ? "needed" : "not needed"],
                ["Certificate", feed.certificate_sha256 ? <span className="mono fd-c">{feed.certificate_sha256}</span> : "none asked for"],
                ["Orders answered by", feed.order_answer === "ack" ? "ACK" : "ORR, ORI, ORG"],
                ["Control ids come again", feed.repeats_control_ids ? "yes, processed" : "no, held"],
                ["Without effect", feed.ignored.join(", ") || "nothing"],
                ["Files", feed.takes_files ? "taken too" : "not taken"],
                ["Answers go to", feed.reply_host ? `${feed.reply_host}:${feed.reply_port ?? ""}` : "the log alone"],
              ]}
            />
          </div>
        </Panel>
      </div>
      {changing && <FeedDialog feed={feed} onClose={() => setChanging(false)} />}
    </div>
  );
}
