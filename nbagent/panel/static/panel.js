var We=globalThis,st=e=>e,ge=We.trustedTypes,rt=ge?ge.createPolicy("lit-html",{createHTML:e=>e}):void 0,Ve="$lit$",O=`lit$${Math.random().toFixed(9).slice(2)}$`,je="?"+O,Mn=`<${je}>`,W=document,se=()=>W.createComment(""),re=e=>e===null||typeof e!="object"&&typeof e!="function",Ue=Array.isArray,ut=e=>Ue(e)||typeof e?.[Symbol.iterator]=="function",Be=`[ 	
\f\r]`,oe=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,at=/-->/g,it=/>/g,F=RegExp(`>|${Be}(?:([^\\s"'>=/]+)(${Be}*=${Be}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),lt=/'/g,ct=/"/g,pt=/^(?:script|style|textarea|title)$/i,Ge=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),p=Ge(1),gs=Ge(2),fs=Ge(3),V=Symbol.for("lit-noChange"),f=Symbol.for("lit-nothing"),dt=new WeakMap,B=W.createTreeWalker(W,129);function mt(e,t){if(!Ue(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return rt!==void 0?rt.createHTML(t):t}var gt=(e,t)=>{let n=e.length-1,o=[],s,r=t===2?"<svg>":t===3?"<math>":"",a=oe;for(let l=0;l<n;l++){let i=e[l],c,m,d=-1,g=0;for(;g<i.length&&(a.lastIndex=g,m=a.exec(i),m!==null);)g=a.lastIndex,a===oe?m[1]==="!--"?a=at:m[1]!==void 0?a=it:m[2]!==void 0?(pt.test(m[2])&&(s=RegExp("</"+m[2],"g")),a=F):m[3]!==void 0&&(a=F):a===F?m[0]===">"?(a=s??oe,d=-1):m[1]===void 0?d=-2:(d=a.lastIndex-m[2].length,c=m[1],a=m[3]===void 0?F:m[3]==='"'?ct:lt):a===ct||a===lt?a=F:a===at||a===it?a=oe:(a=F,s=void 0);let u=a===F&&e[l+1].startsWith("/>")?" ":"";r+=a===oe?i+Mn:d>=0?(o.push(c),i.slice(0,d)+Ve+i.slice(d)+O+u):i+O+(d===-2?l:u)}return[mt(e,r+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ae=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let r=0,a=0,l=t.length-1,i=this.parts,[c,m]=gt(t,n);if(this.el=e.createElement(c,o),B.currentNode=this.el.content,n===2||n===3){let d=this.el.content.firstChild;d.replaceWith(...d.childNodes)}for(;(s=B.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let d of s.getAttributeNames())if(d.endsWith(Ve)){let g=m[a++],u=s.getAttribute(d).split(O),h=/([.?@])?(.*)/.exec(g);i.push({type:1,index:r,name:h[2],strings:u,ctor:h[1]==="."?be:h[1]==="?"?he:h[1]==="@"?$e:U}),s.removeAttribute(d)}else d.startsWith(O)&&(i.push({type:6,index:r}),s.removeAttribute(d));if(pt.test(s.tagName)){let d=s.textContent.split(O),g=d.length-1;if(g>0){s.textContent=ge?ge.emptyScript:"";for(let u=0;u<g;u++)s.append(d[u],se()),B.nextNode(),i.push({type:2,index:++r});s.append(d[g],se())}}}else if(s.nodeType===8)if(s.data===je)i.push({type:2,index:r});else{let d=-1;for(;(d=s.data.indexOf(O,d+1))!==-1;)i.push({type:7,index:r}),d+=O.length-1}r++}}static createElement(t,n){let o=W.createElement("template");return o.innerHTML=t,o}};function j(e,t,n=e,o){if(t===V)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,r=re(t)?void 0:t._$litDirective$;return s?.constructor!==r&&(s?._$AO?.(!1),r===void 0?s=void 0:(s=new r(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=j(e,s._$AS(e,t.values),s,o)),t}var fe=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??W).importNode(n,!0);B.currentNode=s;let r=B.nextNode(),a=0,l=0,i=o[0];for(;i!==void 0;){if(a===i.index){let c;i.type===2?c=new Y(r,r.nextSibling,this,t):i.type===1?c=new i.ctor(r,i.name,i.strings,this,t):i.type===6&&(c=new ye(r,this,t)),this._$AV.push(c),i=o[++l]}a!==i?.index&&(r=B.nextNode(),a++)}return B.currentNode=W,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},Y=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=f,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=j(this,t,n),re(t)?t===f||t==null||t===""?(this._$AH!==f&&this._$AR(),this._$AH=f):t!==this._$AH&&t!==V&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):ut(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==f&&re(this._$AH)?this._$AA.nextSibling.data=t:this.T(W.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ae.createElement(mt(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let r=new fe(s,this),a=r.u(this.options);r.p(n),this.T(a),this._$AH=r}}_$AC(t){let n=dt.get(t.strings);return n===void 0&&dt.set(t.strings,n=new ae(t)),n}k(t){Ue(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let r of t)s===n.length?n.push(o=new e(this.O(se()),this.O(se()),this,this.options)):o=n[s],o._$AI(r),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=st(t).nextSibling;st(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},U=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,r){this.type=1,this._$AH=f,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=r,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=f}_$AI(t,n=this,o,s){let r=this.strings,a=!1;if(r===void 0)t=j(this,t,n,0),a=!re(t)||t!==this._$AH&&t!==V,a&&(this._$AH=t);else{let l=t,i,c;for(t=r[0],i=0;i<r.length-1;i++)c=j(this,l[o+i],n,i),c===V&&(c=this._$AH[i]),a||=!re(c)||c!==this._$AH[i],c===f?t=f:t!==f&&(t+=(c??"")+r[i+1]),this._$AH[i]=c}a&&!s&&this.j(t)}j(t){t===f?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},be=class extends U{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===f?void 0:t}},he=class extends U{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==f)}},$e=class extends U{constructor(t,n,o,s,r){super(t,n,o,s,r),this.type=5}_$AI(t,n=this){if((t=j(this,t,n,0)??f)===V)return;let o=this._$AH,s=t===f&&o!==f||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,r=t!==f&&(o===f||s);s&&this.element.removeEventListener(this.name,this,o),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ye=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){j(this,t)}},ft={M:Ve,P:O,A:je,C:1,L:gt,R:fe,D:ut,V:j,I:Y,H:U,N:he,U:$e,B:be,F:ye},En=We.litHtmlPolyfillSupport;En?.(ae,Y),(We.litHtmlVersions??=[]).push("3.3.3");var k=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let r=n?.renderBefore??null;o._$litPart$=s=new Y(t.insertBefore(se(),r),r,void 0,n??{})}return s._$AI(e),s};var On=1500;function N(e,t="",n="Copy"){return p`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||f}
    .textContent=${n}
    @click=${s=>{Nn(s.currentTarget,e,n)}}
  ></button>`}async function Nn(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},On)}function ht(e){e.dataset.copy="",e.tabIndex=0;let t=document.createElement("div");t.className="nbagent-code-block",e.replaceWith(t);let n=document.createElement("div");k(N(e.textContent??"","Copy code"),n),t.append(e,n)}var bt=new WeakSet;function ve(e){bt.has(e)||(bt.add(e),new ResizeObserver(()=>ve(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function we(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function S(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,r={...o,command:t,run_id:n,command_id:s};if(await Dn(e,r))return"control";try{return e.send(r),"comm"}catch{return"none"}}async function $t(e){return(await e.widget_manager)?.kernel}async function Dn(e,t){try{let n=await $t(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},r=n.sendControlMessage(s,!0,!0);r.done?.catch?.(()=>{});let a=new Promise(i=>{r.onReply=c=>i(c.content?.status==="ok"&&c.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([a,l])}catch{return!1}}async function yt(e,t){e.on("comm_live_update",t);try{let n=await $t(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,r)=>{o.has(r)&&t()}),n?.disposed?.connect(t)}catch{}}var Hn=new Intl.NumberFormat("en-US"),Ln=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),x=e=>Hn.format(e),xe=e=>Ln.format(e),G=(e,t)=>`${x(e)} ${t}${e===1?"":"s"}`;function J(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=r=>String(r).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var ze=e=>e<6e4?In(e):J(e).replace(/ (min|h|s)/g,(t,n)=>n[0]??""),In=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:J(e);function vt(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function Te(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var wt=e=>e>=1?`${xe(e)}/s`:`${xe(60*e)}/min`;var Pn=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),Fn=new Set(["error","timeout","interrupted"]),_=e=>Pn.has(e),H=e=>Fn.has(e);var ke="nbagent-notify",Bn=1e4,Wn=800,qe=3,xt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function Ke(){try{return xt()&&Notification.permission==="granted"&&localStorage.getItem(ke)==="on"}catch{return!1}}async function Vn(){let e=!Ke()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(ke,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function Ae(){return xt()?p`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${Ke()}
    @click=${()=>{Vn()}}
  ></button>`:f}function ie(e,t){return e===void 0||e===t||_(e)?null:t==="paused"?"waits":_(t)?"ended":null}function jn(e){let t=e.filter(a=>a.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,qe).map(a=>`${a.title}: ${a.status==="paused"?"waits for you":a.status}`);e.length>qe&&o.push(`and ${e.length-qe} more`);let s=e.length-t;return[[t?`${G(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${G(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var _e=[];function le(e,t,n){Ke()&&navigator.locks.request(`${ke} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&(_e.push(n),_e.length===1&&setTimeout(Un,Wn),await new Promise(s=>setTimeout(s,Bn)))})}function Un(){let[e,t]=jn(_e);_e=[];let n=new Notification(e,{body:t,tag:`${ke} ${e}`});n.onclick=()=>window.focus()}var z=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var Tt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Ce=e=>(...t)=>({_$litDirective$:e,values:t}),X=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:Gn}=ft,_t=e=>e;var kt=()=>document.createComment(""),Q=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let r=o.insertBefore(kt(),s),a=o.insertBefore(kt(),s);n=new Gn(r,a,e,e.options)}else{let r=n._$AB.nextSibling,a=n._$AM,l=a!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==a._$AU&&n._$AP(i)}if(r!==s||l){let i=n._$AA;for(;i!==r;){let c=_t(i).nextSibling;_t(o).insertBefore(i,s),i=c}}}return n},L=(e,t,n=e)=>(e._$AI(t,n),e),zn={},Se=(e,t=zn)=>e._$AH=t,At=e=>e._$AH,Re=e=>{e._$AR(),e._$AA.remove()};var Ct=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},Me=Ce(class extends X{constructor(e){if(super(e),e.type!==Tt.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],r=[],a=0;for(let l of e)s[a]=o?o(l,a):a,r[a]=n(l,a),a++;return{values:r,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=At(e),{values:r,keys:a}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=a,r;let l=this.ut??=[],i=[],c,m,d=0,g=s.length-1,u=0,h=r.length-1;for(;d<=g&&u<=h;)if(s[d]===null)d++;else if(s[g]===null)g--;else if(l[d]===a[u])i[u]=L(s[d],r[u]),d++,u++;else if(l[g]===a[h])i[h]=L(s[g],r[h]),g--,h--;else if(l[d]===a[h])i[h]=L(s[d],r[h]),Q(e,i[h+1],s[d]),d++,h--;else if(l[g]===a[u])i[u]=L(s[g],r[u]),Q(e,s[d],s[g]),g--,u++;else if(c===void 0&&(c=Ct(a,u,h),m=Ct(l,d,g)),c.has(l[d]))if(c.has(l[g])){let b=m.get(a[u]),y=b!==void 0?s[b]:null;if(y===null){let T=Q(e,s[d]);L(T,r[u]),i[u]=T}else i[u]=L(y,r[u]),Q(e,s[d],y),s[b]=null;u++}else Re(s[g]),g--;else Re(s[d]),d++;for(;u<=h;){let b=Q(e,i[h+1]);L(b,r[u]),i[u++]=b}for(;d<=g;){let b=s[d++];b!==null&&Re(b)}return this.ut=a,Se(e,i),V}});var St={always:"Always",approve:"Approve",deny:"Deny"},qn={always:"approving…",approve:"approving…",deny:"denying…",gone:"kernel is gone"};function Rt(e,t,n){return p`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${Me(e,Ee,o=>{let s=t.get(Ee(o)),r=a=>p`<button
          type="button"
          class=${`nbagent-button nbagent-${a}`}
          aria-label=${`${St[a]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,a)}
        >${St[a]}</button>`;return p`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${r("approve")}${o.always?r("always"):f}${r("deny")}<span class="nbagent-said">${s?qn[s]:""}</span>
        </div>
      </div>`})}
  </div>`}function Mt(e,t){return p`<p class="nbagent-always" ?hidden=${!e.length}>
    <button type="button" class="nbagent-button" title="ask me again" @click=${t}
      >${e.join(", ")} runs without asking ✕</button>
  </p>`}var Kn={ready:"Send",heard:"sending…",gone:"kernel is gone"};function Et(e,t,n){let o=s=>{s.preventDefault();let r=s.target.querySelector("input"),a=r.value.trim();!a||t!=="ready"||(r.value="",n(a))};return p`<div class="nbagent-sending" ?hidden=${!e.takes_messages}>
    ${e.sent.map(s=>p`<p class="nbagent-sent">with its next step: ${s}</p>`)}
    ${e.takes_messages?p`<form class="nbagent-send" @submit=${o}>
            <input type="text" class="nbagent-message" placeholder="Tell it something" aria-label=${`Tell ${e.title} something`} />
            <button type="submit" class="nbagent-button" aria-disabled=${t!=="ready"}>${Kn[t]}</button>
          </form>`:f}
  </div>`}var Ot=Ce(class extends X{constructor(){super(...arguments),this.key=f}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(Se(e),this.key=t),n}});var Yn=[["table","Table"],["tree","Tree"]],Jn=3,Xn=20;function Nt(e,t,n){let o=t??e.form;return p`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${Yn.map(([s,r])=>p`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${r}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?Dt(e.tree.kids??[],1):e.table?Qn(e.table):f}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function Qn({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return p`<table>
    <thead>
      <tr>${e.map((s,r)=>p`<th scope="col" class=${o(r)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>p`<tr>${s.map((r,a)=>p`<td class=${o(a)}>${r}</td>`)}</tr>`)}
    </tbody>
  </table>`}function Dt(e,t){return p`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:r,kids:a})=>{if(!a){let i=n?p`<span class="nbagent-key">${n}</span>`:f;return p`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<Jn&&a.length<=Xn;return Ot(`${n} ${a.length}`,p`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${r}</span></summary>
            ${Dt(a,t+1)}
          </details>
        </li>`)})}
  </ul>`}var Zn=32,eo={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"},to={ready:"Retry",heard:"retrying…",gone:"kernel is gone"};function Ht(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","region"),s.setAttribute("aria-label","answer"),s.append(o);let r=null,a=null;e.classList.add("nbagent");let l=d=>{r=d,a=null,i()},i=()=>{let d=e.querySelector(".nbagent-card"),g=d?.contains(document.activeElement)?document.activeElement:null;if(k(no(t,s,r,n,l),e),g&&(!g.isConnected||g.hidden)&&d?.focus({preventScroll:!0}),a!==t.row){a=t.row;for(let h of e.querySelectorAll(".nbagent-prose, .nbagent-form"))ve(h);for(let h of e.querySelectorAll(".nbagent-prose pre:not([data-copy])"))ht(h)}},c=d=>{let g=s.scrollHeight-s.scrollTop-s.clientHeight<Zn;d===null||o.length+d.length!==t.text.length?o.data=t.text:d&&o.appendData(d),s.hidden=!t.text||!!t.row.html,g&&!t.row.final&&(s.scrollTop=s.scrollHeight),ve(s)},m=setInterval(()=>t.row.final||i(),1e3);return{update(d){i(),c(d)},end:()=>clearInterval(m)}}function no(e,t,n,o,s){let{row:r}=e;return p`<section class="nbagent-card" tabindex="-1" data-status=${r.status} aria-label=${`run ${r.title}`}>
    ${oo(e,o)}
    <p class="nbagent-banner" ?hidden=${!r.banner}>${r.banner}</p>
    <div class="nbagent-body">
      ${ro(r.members)}
      <p class="nbagent-waiting" ?hidden=${!r.waiting}>${r.waiting}</p>
      ${Rt(r.approvals,e.decided,o.decide)} ${Mt(r.always,o.endAlways)} ${Nt(r,n,s)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!r.html}
        .innerHTML=${r.html??""}
      ></div>
      ${r.form?f:t}
      <details class="nbagent-raw" ?hidden=${!r.form}>
        <summary>raw answer</summary>
        ${r.form?t:f}
      </details>
      ${ao(r)} ${Et(r,e.sending,o.send)}
      <div class="nbagent-error" ?hidden=${!r.error.some(Boolean)}>
        ${r.error.filter(Boolean).map((a,l)=>p`<p class=${l?"nbagent-todo":"nbagent-what"}>${a}</p>`)}
      </div>
    </div>
    ${io(r)}
  </section>`}function oo({row:e,cancel:t,retry:n,beganAt:o},s){let r=e.began_ms===null?"":J(performance.now()-o),a=eo[t];return p`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:r}</span>
    ${e.final?f:Ae()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${s.cancel}
    >${a}</button>
    ${so(e,n,s)}
  </header>`}function so(e,t,n){if(!e.final||t==="never"||!(H(e.status)||e.status==="cancelled"))return f;let o=to[t];return p`<button
    type="button"
    class="nbagent-button nbagent-retry"
    aria-disabled=${t!=="ready"}
    aria-label=${t==="ready"?`Retry ${e.title}`:o}
    @click=${n.retry}
  >${o}</button>`}function ro(e){return p`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>p`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function ao(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return p`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function io(e){return p`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>p`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":f}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${N(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var Ee=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,lo={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],always:[],calls:[],called:"",members:[],sent:[],takes_messages:!1,retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function Ne(e=!0){let t={row:lo,text:"",beganAt:0,cancel:"ready",wasFinal:!1,retry:e?"ready":"never",sending:"ready",decided:new Map},n=new Set,o=new z(()=>{}),s=u=>n.forEach(h=>h.update(u)),r=u=>{t.beganAt=performance.now()-Math.max(0,u-(t.row.began_ms??u))},a=u=>{let h=t.row.run_id===u.run_id?t.row.status:void 0;t.row=u,t.wasFinal&&!u.final&&(t.cancel="ready",e&&(t.retry="ready")),t.wasFinal=u.final;let b=ie(h,u.status);b&&le(u.run_id,b,u)},l=u=>{u?.row&&(o.restart(u.seq),a(u.row),t.text=u.text,t.decided.clear(),r(u.now_ms),s(null))},i=u=>{o.accept(u?.seq)&&(u.row&&(a(u.row),r(u.now_ms)),t.text+=u.append,s(u.append))},c=async u=>{if(t.cancel!=="ready"||t.row.final)return;t.cancel="heard",s("");let h=await S(u,"cancel",t.row.run_id);h==="none"?t.cancel="gone":h==="comm"&&setTimeout(()=>{t.cancel==="heard"&&(t.cancel="waiting"),s("")},3e3),s("")},m=async u=>{t.retry!=="ready"||!t.row.final||(t.retry="heard",s(""),await S(u,"retry",t.row.run_id,{card:!0})==="none"&&(t.retry="gone"),setTimeout(()=>{t.retry==="heard"&&t.row.final&&(t.retry="ready"),s("")},3e3),s(""))},d=async(u,h,b)=>{let y=Ee(h);if(t.decided.has(y)||t.row.final)return;t.decided.set(y,b),s("");let T={tool_call_id:h.tool_call_id,step:h.step,card:t.row.run_id};await S(u,b,h.run_id,T)==="none"&&t.decided.set(y,"gone"),s("")},g=async(u,h)=>{t.sending==="ready"&&(t.sending="heard",s(""),t.sending=await S(u,"send",t.row.run_id,{text:h})==="none"?"gone":"ready",s(""))};return{initialize(u){o=new z(()=>{S(u,"resend",t.row.run_id)}),l(u.get("card")),u.on("change:card",()=>l(u.get("card"))),u.on("msg:custom",i)},render(u,h){let b=Ht(h,t,{cancel:()=>{c(u)},retry:()=>{m(u)},send:T=>{g(u,T)},decide:(T,A)=>{d(u,T,A)},endAlways:()=>{S(u,"end_always",t.row.run_id)}}),y=we(u.get("key"));return n.add(b),b.update(null),()=>{n.delete(b),b.end(),y()}}}}var Lt="application/vnd.jupyter.widget-view+json",co="nbagent-host",ce=new Map,Ye=null;async function Pt(e){try{let n=(await e)?.context?.model?.cells;return n&&typeof n[Symbol.iterator]=="function"?n:null}catch{return null}}function Ft(e,t){let n=!1;for(let o of e)n=uo(o.outputs,t)||n;return n}function uo(e,t){let n=!1;for(let o=0;o<(e?.length??0);o+=1){let s=e?.get(o).toJSON().data,r=s?.["text/html"],a=Array.isArray(r)?r.join(""):String(r??"");if(!s?.[Lt]||!a.includes(t))continue;let{[Lt]:l,...i}=s;e?.set(o,{output_type:"display_data",data:i,metadata:{}}),n=!0}return n}function Bt(e,t){let n={draw:t,views:[]};return ce.set(e,n),Ye??=new MutationObserver(It),Ye.observe(document.body,{childList:!0,subtree:!0}),It(),()=>{ce.delete(e);for(let{el:o,end:s}of n.views)s(),o.remove();ce.size||Ye?.disconnect()}}function It(){for(let e of document.getElementsByClassName(co)){let t=[...e.classList].find(n=>ce.has(n));t&&po(e,ce.get(t))}}function po(e,t){if(t.views.some(({el:o})=>o.parentNode===e))return;let n=t.views.find(({el:o})=>!o.isConnected);if(n)e.append(n.el);else{let o=document.createElement("div");n={el:o,end:()=>{}},t.views.push(n),e.append(o),n.end=t.draw(o)}e.closest(".jp-RenderedHTMLCommon")?.classList.remove("jp-RenderedHTMLCommon")}var mo=/^\s*%%agent(_bg)?\b/;async function Wt(e){try{let t=await e.widget_manager;for(let n of t?.context?.model?.cells??[])n.mimeType!=="text/plain"&&mo.test(n.sharedModel?.getSource?.()??"")&&(n.mimeType="text/plain")}catch{}}function Vt(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(c=>c(i)),o=new Set,s=Ne(!1),r={get:l=>({card:a.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},a={card:null,details:null,hear(l){if("card"in l){let i=a.card===null;a.card=l.card,i?s.initialize(r):n("change:card")}else"details"in l?a.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(r,l)};return a}var go=60*1e3,fo=3e3,jt=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function De(e,t){let n=new Map;for(let[r,a]of e)n.set(r,jt(r,a));let o=[],s=new Map;for(let r of n.values()){let a=r.line.row,l=a.parent===null?void 0:n.get(a.parent);if(l&&l!==r)(l.kids??=[]).push(r);else if(a.batch){let i=s.get(a.batch);i||(i=jt(`batch ${a.batch}`,null,a.batch,t.get(a.batch)),s.set(a.batch,i),o.push(i)),i.kids?.push(r)}else o.push(r)}return o}var Gt=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function D(e){return e.line&&!e.kids?Gt(e.line.row):e.sums??=bo(e)}function bo(e){let t=(e.kids??[]).map(D),n=e.line?Gt(e.line.row):null,o=n?[n,...t]:t,s=d=>o.map(g=>g[d]).filter(g=>g!==null),r=d=>{let g=s(d);return g.length?g.reduce((u,h)=>u+h,0):null},a=t.filter(d=>d.status==="cancelled").length,l=e.told?$o(e.told,a):null,i=l?l.open:t.filter(d=>!_(d.status)).length,c=o.map(d=>d.priced).filter(d=>d!==null),m=s("ended");return{status:n?n.status:ho(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:Ut(s("created")),began:n?n.began:Ut(s("began")),ended:n?n.ended:i?null:vo(m),tokens:r("tokens"),cost:r("cost"),priced:c.length?c.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((d,g)=>d+g.waiting,0),failed:t.filter(d=>H(d.status)).length,cancelled:a,ends:m,rate:null,endless:!1,...l}}function ho(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function $o({total:e,done:t,failed:n,not_asked:o,rate:s,finished:r,tokens:a,cost:l},i){let c=t+n+o,m=r?0:Math.max(1,(e??c+1)-c),d=r?Math.min(n,i):0;return{of:c+m,open:m,failed:n-d,cancelled:d+o,rate:s,endless:e===null,...a===null?{}:{tokens:a},...l===null?{}:{cost:l}}}function yo({began:e,ended:t,ends:n,of:o,rate:s},r){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let a=Math.max(e,r-go),l=n.reduce((i,c)=>i+ +(c>=a),0);return r-a<1e3?0:1e3*l/(r-a)}function zt(e,t){let n=e.of-e.open,o=yo(e,t),s=e.open>0&&!e.endless;return[e.endless?x(n):e.open?`${x(n)} of ${x(e.of)}`:`all ${x(e.of)} ended`,e.waiting?`${x(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${x(e.failed)} failed`:"",e.cancelled?`${x(e.cancelled)} cancelled`:"",s?`${x(e.open)} left`:"",o?wt(o):"",o&&s&&e.began!==null&&t-e.began>=fo?`${J(1e3*e.open/o)} to go`:""].filter(Boolean)}function Je(e){for(let t of e)t.kids&&(t.sums=null,Je(t.kids))}var Ut=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,vo=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var qt={command:null,word:""},wo=new Set(["error","timeout","interrupted"]),xo={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…"},Xe=e=>e.line?e.key:e.batchId,He=e=>e==="cancel"||e==="cancel_batch";function q(e,t){if(t.gone)return qt;let n=t.asked.get(Xe(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":xo[n.name]??"…"};let{status:o}=D(e);return _(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?qt:wo.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function Yt(e,t){let{setup:n,steps:o,messages:s}=e,r=e.left?p`<p class="nbagent-more">${x(e.left)} earlier messages are in the store</p>`:f;return[n.instructions||n.tools.length||n.settings.length?Z("Setup",0,!1,To(n)):f,o.rows.length?Z("Steps",o.rows.length,!0,ko(o.rows,t)):f,e.traceback?Z("Traceback",0,!1,K(e.traceback)):f,s.length?Z("Messages",s.length+e.left,!1,[r,s.map(Co)]):e.prompt?Z("Prompt",0,!1,K(e.prompt)):f,Z("About",0,!1,[Jt(e.about),So(e.code)])]}function Z(e,t,n,o){let s=t?p`<span class="nbagent-count"> ${x(t)}</span>`:f;return p`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function To({instructions:e,tools:t,settings:n}){return[e?p`<p class="nbagent-label">System prompt</p>${K(e)}`:f,t.length?p`<p class="nbagent-label">Tools</p>`:f,p`${t.map(o=>p`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${o.name}</code><span class="nbagent-tool-note">${_o(o.description)}</span></summary>
          ${o.description.includes(`
`)?K(o.description):f}${K(o.parameters)}
        </details>`)}`,n.length?p`<p class="nbagent-label">Settings</p>${Jt(n)}`:f]}var _o=e=>e.split(`
`,1)[0]??"",Kt=e=>[e.kind,e.depth,e.step,e.at_ms,e.name].join(" ");function ko(e,{open:t,toggle:n,span:o}){return p`<ol class="nbagent-steps">
    ${Me(e,Kt,s=>{let r=Kt(s),a=`left: ${100*s.at_ms/o}%; width: ${Math.max(.6,100*s.ms/o)}%`,l=s.status==="completed"||s.kind==="pause"?"":`${s.status} · `,i=s.kind==="model"?`${s.step} · ${s.name}`:s.name;return p`<li class="nbagent-step" data-kind=${s.kind} data-status=${s.status} style=${`--nb-depth: ${s.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${t.has(r)} @click=${()=>n(r)}>
          <span class="nbagent-step-name" title=${i}>${i}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${a}></span></span>
          <span class="nbagent-step-note">${l+s.note}</span>
        </button>
        ${t.has(r)?Ao(s):f}
      </li>`})}
  </ol>`}function Ao(e){let t=(n,o)=>{let s=o.filter(r=>r.text);return s.length?p`${s.map(({role:r,text:a})=>p`<p class="nbagent-label">${r===n?n:`${n}: ${r}`}</p>${K(a)}`)}`:f};return p`<div class="nbagent-step-body">
    ${e.about?p`<p class="nbagent-more">${e.about}</p>`:f} ${t("in",e.given)} ${t("out",e.came)}
  </div>`}function Co(e){return p`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?K(e.text):f}
    ${e.calls.map(t=>p`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>p`<p class="nbagent-more">${t}</p>`)}
  </div>`}function K(e){return p`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${N(e)}
  </div>`}function Jt(e){return p`<dl class="nbagent-pairs">${e.map(([t,n])=>p`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function So(e){return p`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${N(e,`Copy ${e} from the list`)}
  </p>`}function Xt(e,t,n){let{run:o,close:s}=n,r=new Set,a=g=>{r.delete(g)||r.add(g),m()},l=document.createElement("article");l.className="nbagent-opened",l.setAttribute("aria-label","opened run"),l.addEventListener("keydown",g=>{g.key==="Escape"&&s()});let i=document.createElement("div");i.className="nbagent-opened-card";let c=null;e.append(l);let m=()=>{k(Ro(t,i,n,{open:r,toggle:a,span:n.span()}),l),o.card&&!c&&(c=o.renderCard(i))},d=o.follow(n.redraw);return m(),requestAnimationFrame(()=>l.scrollIntoView({block:"nearest",behavior:"auto"})),{update:m,end(){d(),c?.(),l.remove()}}}function Ro(e,t,n,o){let{state:s,run:r,command:a,close:l}=n,i=s.rows.get(e),[c]=i?De(new Map([[e,i]]),new Map):[],{command:m,word:d}=c?.line?q(c,s):{command:null,word:""},g=d&&!He(m)&&d!=="cancelling…",u=s.gone?"It cannot be opened: the kernel is gone.":"Opening…";return p`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${i?i.row.prompt||i.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!g}
        aria-disabled=${!m}
        @click=${()=>m&&a(m,e)}
      >${d}</button>
      ${Mo(r.details)}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${n.comparing()}
        @click=${n.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${l}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${r.card!==null}>${u}</p>
    ${t}
    <div class="nbagent-sections">${r.details?Yt(r.details,o):f}</div>`}function Mo(e){if(!e)return f;let t=e.answer?N(e.answer,"","Copy answer"):f;return p`${t}${N(e.code,`Copy ${e.code}`,"Copy code")}`}var ee=e=>!!e[4]||H(e[2]),Eo=([,e,t,,n,,o],s)=>[e,t,n,s,...o].join(`
`).toLowerCase();function Qt(e,t,n){let o=t.text.toLowerCase().split(/\s+/).filter(Boolean);return[...e].filter(r=>{if(t.group!=="all"&&ee(r)!==(t.group==="failed"))return!1;if(!o.length)return!0;let a=Eo(r,n(r));return o.every(l=>a.includes(l))}).sort((r,a)=>Number(ee(a))-Number(ee(r))||r[0]-a[0])}function Zt(e,t){return t.map((n,o)=>{let s=e.map(r=>r[6][o]).filter(r=>r!=null);return s.length>0&&s.every(r=>typeof r=="number")})}var de=30,tn=10,en=6,Oo=[["all","All rows"],["failed","Failed"],["answered","Answered"]];function nn(e,t){let n={text:"",group:"all"},o=document.createElement("div");o.className="nbagent-items",o.hidden=!0;let s=[],r=[],a=[],l=0,i=u=>u[3]===null?"":e.rows.get(u[3])?.row.prompt??"",c=()=>{s=Qt(e.items.values(),n,i),r=Zt(s.slice(0,200),e.fields)},m=()=>{c();let u=o.querySelector(".nbagent-items-home");u&&(u.scrollTop=0),d()},d=()=>{l=0;let h=o.querySelector(".nbagent-items-home")?.scrollTop??0,b=Math.max(0,Math.floor(h/de)-en),y=b+tn+2*en;k(No({state:e,want:n,found:s,numeric:r,opened:a,first:b,last:y,promptOf:i,refind:m,paintSoon:g,on:t}),o)},g=()=>{l||=requestAnimationFrame(d)};return{el:o,draw(u){a=u,o.hidden=!e.items.size,!o.hidden&&(c(),d())}}}function No(e){let{state:t,found:n,numeric:o,first:s,last:r}=e,a=t.ended-t.items.size,l=`minmax(60px, 0.7fr) minmax(80px, 1.6fr) ${"minmax(60px, 1fr) ".repeat(Math.max(1,t.fields.length))}`,i=Math.min(tn,Math.max(1,n.length))*de+de+2;return p`${Do(t.counts)} ${Ho(e)}
    <div
      class="nbagent-items-home"
      role="table"
      aria-label="rows of the batch"
      aria-rowcount=${n.length+1}
      tabindex="0"
      style=${`height: ${i}px; --nb-columns: ${l}`}
      @scroll=${e.paintSoon}
    >
      <div role="rowgroup" class="nbagent-items-head">
        <div class="nbagent-item" role="row">
          <div class="nbagent-cell" role="columnheader">Row</div>
          <div class="nbagent-cell nbagent-item-prompt" role="columnheader">Prompt</div>
          ${t.fields.map((c,m)=>p`<div class=${`nbagent-cell ${o[m]?"nbagent-number":""}`} role="columnheader">${c}</div>`)}
          ${t.fields.length?f:p`<div class="nbagent-cell" role="columnheader">Answer</div>`}
        </div>
      </div>
      <div role="rowgroup" class="nbagent-items-rows" style=${`height: ${n.length*de}px`}>
        ${n.slice(s,r).map((c,m)=>Io(c,s+m,e))}
      </div>
    </div>
    ${n.length?f:p`<p class="nbagent-more">No row matches.</p>`}
    ${a>0?p`<p class="nbagent-more">${x(t.items.size)} of ${x(t.ended)} rows are listed; to_frame() has all</p>`:f}`}function Do(e){return e.length?p`<div class="nbagent-counts">
    ${e.map(([t,n])=>{let o=Math.max(...n.map(([,s])=>s));return p`<div class="nbagent-kinds" role="list" aria-label=${`answers by ${t}`}>
        <p class="nbagent-label" aria-hidden="true">${t}</p>
        ${n.map(([s,r])=>p`<div class="nbagent-kind" role="listitem">
              <span class="nbagent-kind-name" title=${s}>${s||"(empty)"}</span
              ><span class="nbagent-kind-track" aria-hidden="true"
                ><span class="nbagent-kind-bar" style=${`width: ${100*r/o}%`}></span></span
              ><span class="nbagent-kind-count">${x(r)}</span>
            </div>`)}
      </div>`})}
  </div>`:f}function Ho({state:e,want:t,refind:n,on:o}){let s=[...e.items.values()].filter(ee).length,r={all:e.items.size,failed:s,answered:e.items.size-s},a=l=>{t.group=l,n()};return p`<div class="nbagent-filters" role="search" aria-label="rows of the batch">
    <div class="nbagent-groups" role="group" aria-label="Rows">
      ${Oo.map(([l,i])=>p`<button type="button" class="nbagent-group" aria-pressed=${t.group===l} @click=${()=>a(l)}>${i}<span class="nbagent-count"> ${x(r[l])}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search rows"
      spellcheck="false"
      aria-label="Search rows by text"
      .value=${t.text}
      @input=${l=>{t.text=l.target.value,n()}}
    />
    ${Lo(e,s,o)}
  </div>`}function Lo(e,t,n){let o=e.only??"";if(!t||e.gone||!e.batches.get(o)?.finished)return f;let s=e.asked.has(o);return p`<button
    type="button"
    class="nbagent-button"
    aria-disabled=${s}
    @click=${()=>n.command("retry_batch",o)}
  >${s?"retrying…":`Retry ${x(t)} failed`}</button>`}function Io(e,t,{state:n,numeric:o,opened:s,promptOf:r,on:a}){let[,l,i,c,m,d,g]=e,u=c!==null&&n.rows.has(c)?p`<button type="button" class="nbagent-link" aria-expanded=${s.includes(c)} @click=${()=>a.openRun(c)}>${l}</button>`:l,h=ee(e),b=h||!n.fields.length;return p`<div
    class="nbagent-item"
    role="row"
    aria-rowindex=${t+2}
    data-status=${h?"error":i}
    style=${`transform: translateY(${t*de}px)`}
  >
    <div class="nbagent-cell" role="cell"><span class="nbagent-chip" title=${i}></span>${u}</div>
    <div class="nbagent-cell nbagent-item-prompt" role="cell">${r(e)||(d?"from an earlier run":"")}</div>
    ${b?p`<div class="nbagent-cell nbagent-item-error" role="cell" title=${m}>${m||i}</div>`:n.fields.map((y,T)=>p`<div class=${`nbagent-cell ${o[T]?"nbagent-number":""}`} role="cell">${g[T]??""}</div>`)}
  </div>`}var sn={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},rn=e=>e in sn;function an(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:r,prompt:a,says:l,error:i,batch:c}=e.row;e.hay=[t,n,o,s??"",r,a,l,i,c??""].join(`
`).toLowerCase()}return e.hay}var on=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function Po(e,t,n){if(!t&&e.line&&!e.kids){let{status:r,created_ms:a}=e.line.row;return{node:e,value:null,first:on(r),created:a??0}}let o=D(e),s=t?sn[t.by](o,n):null;return{node:e,value:s,first:on(o.status,o.waiting),created:o.created??0}}function Fo(e,t,n){let o=e.map(r=>Po(r,t,n)),s=(r,a)=>a.created-r.created||(r.node.key<a.node.key?1:-1);return o.sort((r,a)=>t?r.value===null||a.value===null?+(r.value===null)-+(a.value===null)||s(r,a):r.value===a.value?s(r,a):(r.value<a.value?-1:1)*(t.down?-1:1):r.first-a.first||s(r,a)),o.map(r=>r.node)}var ln={self:!0,kids:new Map};function cn(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?ln:null;let o=dn(e.kids,t);return n||o.size?{self:n,kids:o}:null}function dn(e,t){let n=new Map;for(let o of e){let s=cn(o,t);s&&n.set(o,s)}return n}function un(e,t,n,o,s){let r=[],a=(l,i,c)=>{for(let m of Fo([...l.keys()],c,s)){let d=l.get(m);if(r.push({node:m,depth:i}),m.unfolded=o.get(m.key)??(t.narrow&&!d.self&&d.kids.size>0),!m.unfolded||!m.kids)continue;let u=d.self&&m.line?new Map(m.kids.map(h=>[h,cn(h,t)??ln])):d.kids;a(u,i+1,c??(m.line?{by:"created",down:!1}:null))}};return a(dn(e,t),0,n),r}var Le=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!_(e)&&e!=="paused"],["completed","Completed",e=>e==="completed"],["failed","Failed",H],["cancelled","Cancelled",e=>e==="cancelled"]],Ie=["agent","model","session"],Qe={text:"",group:"all",agent:"",model:"",session:""};function Ze(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=Le.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let r of Ie)if(e[r]&&s[r]!==e[r])return!1;return!t.length||t.every(r=>an(o).includes(r))}}}function mn(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[r,,a]of Le)a(s.status)&&(n.counts[r]+=1);t.test(o)&&(n.runs+=1,!_(s.status)&&s.status!=="paused"&&(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var Bo=/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,pn=48;function gn(e){let t=new Map;for(let{row:o}of e){if(!o.session||o.parent)continue;let s=t.get(o.session);(!s||(o.created_ms??0)<(s.created_ms??0))&&t.set(o.session,o)}let n=new Map;for(let[o,s]of t){let r=s.prompt.length>pn?`${s.prompt.slice(0,pn-1)}…`:s.prompt;n.set(o,Bo.test(o)?r||s.title:o)}return n}var Wo=200;function fn(e,t,n){let o=new Map;for(let{row:a}of e){let l=a[t];l&&o.set(l,(o.get(l)??0)+1)}let r=[...o].filter(([,a])=>t!=="session"||a>1).slice(0,Wo).map(([a])=>a).sort();return n&&!r.includes(n)&&r.push(n),r}var Vo=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function bn(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,r=!1,a={agent:[],model:[],session:[]},l=new Map;return{el:o,sum(c){s=mn(e.rows.values(),c),r=c.narrow},choose(){a={agent:[],model:[],session:[]},l=gn(e.rows.values());for(let c of Ie)a[c]=fn(e.rows.values(),c,t[c])},draw:()=>{let c=(s?.counts.running??0)+(s?.counts.waiting??0);k(p`${Uo(e,t,s,r,c,n)}${zo(e)}${qo(e,t,s,a,l,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function jo(e,t,n){let o=t.group==="waiting";if(!e&&!o)return f;let s=()=>{t.group=o?"all":"waiting",n.refilter()},r=e===1?"1 waits for you":e?`${x(e)} wait for you`:"none waits";return p`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${r}</button>`}function Uo(e,t,n,o,s,r){let a=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=a?"cancelling…":s>1?`Cancel all ${x(s)}`:"Cancel it";return p`<div class="nbagent-panel-head">
    ${jo(n?.counts.waiting??0,t,r)}
    <p class="nbagent-totals" role="status">${n?Go(e,n,o):"nbagent"}</p>
    ${e.gone?f:Ae()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${a}
      @click=${()=>r.command("cancel_all","")}
    >${i}</button>
  </div>`}function Go(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${x(t.running)} running`:"",t.runs<o?`${x(t.runs)} of ${x(o)} runs`:G(o,"run"),t.tokens===null?"":`${xe(t.tokens)} tokens`,t.cost===null?"":Te(t.cost),t.priced<t.called?`cost known for ${x(t.priced)} of ${x(t.called)}`:""].filter(Boolean).join(" · ")}function zo(e){let t=[...e.gone?[Vo]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return p`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function qo(e,t,n,o,s,r){let a=(l,i)=>{t[l]=i,r.refilter()};return p`<div class="nbagent-filters" role="search" aria-label="runs" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${Le.map(([l,i])=>p`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===l}
            @click=${()=>a("group",l)}
          >${i}<span class="nbagent-count"> ${x(n?.counts[l]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${l=>a("text",l.target.value)}
    />
    ${Ie.map(l=>p`<select
          class="nbagent-select"
          aria-label=${`Filter by ${l}`}
          ?hidden=${o[l].length<2&&!t[l]}
          @change=${i=>a(l,i.target.value)}
        >
          <option value="" ?selected=${!t[l]} .selected=${!t[l]}>Any ${l}</option>
          ${o[l].map(i=>p`<option value=${i} .selected=${i===t[l]}>${l==="session"?s.get(i)??i:i}</option>`)}
        </select>`)}
  </div>`}var hn=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]],Ko="from cache";function $n({node:e,depth:t},n,o,s){let{seen:r,state:a,now:l}=s,i=D(e),c=e.line?.row??null,m=q(e,a),d=c?.reason.endsWith(Ko)??!1,g=d?"":c?.reason,u=d?"cached":i.tokens===null?i.status==="completed"?"?":"":x(i.tokens),h=e.kids?c?`+${e.kids.length}`:`× ${x(i.of)}`:"",b=i.cost===null?i.priced===!1&&_(i.status)?"?":"":`${i.priced===!1?"≥ ":""}${Te(i.cost)}`;return p`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*I}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${m.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${r.open.includes(e.key)}
    aria-expanded=${e.kids?e.unfolded:f}
    ?data-active=${r.active===e.key}
    ?data-batch=${!c}
    ?data-asks=${!!c?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${g?`${i.status}: ${g}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${h}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${c?.asks?Yo(c,c.asks,a):c?Jo(c,i.waiting):Xo(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${u}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${b}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${Qo(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":vt(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${m.command??""}
        aria-disabled=${!m.command}
        aria-label=${`${m.word} ${i.title}`}
        ?hidden=${!m.word}
      >${m.word}</button></div
    >
  </div>`}function Yo(e,[t,n,o],s){let r=s.asked.has(e.id)||s.gone,a=(i,c)=>p`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${r}
      aria-label=${`${c} ${n}`}
    >${c}</button>`,l=o===void 0?f:p`${a("approve","Approve")}${a("deny","Deny")}`;return p`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function Jo(e,t){let n=t?`${G(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return p`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function Xo(e,t){let n=zt(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return p`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([r,a])=>p`<div class=${`nbagent-progress-part nbagent-p-${r}`} style=${`width: ${100*a/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function Qo(e,t){return e.began===null?"":e.ended!==null?ze(e.ended-e.began):ze(_(e.status)?0:t-e.began)}var I=34,Pe=12,Zo=6,yn=6,es=300,ts=0;function wn(e){let t=`nbagent-grid-${ts+=1}-${Math.random().toString(36).slice(2,8)}`,n=ns(),o=(m,d)=>{let g=document.createElement("div");return g.className=`nbagent-${m}`,d&&g.setAttribute("role",d),g},s=o("grid-head","rowgroup"),r=o("sizer","rowgroup"),a=o("empty",null);n.append(s,r,a),k(vn(e.sort,null),s);let l=new et(r),i=0,c=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",m=>{m.target===n&&e.key(m)}),r.addEventListener("click",m=>{let d=m.target,g=d.closest(".nbagent-line");if(!g)return;let u=d.closest("[data-part]")?.dataset.part??"row";u!=="row"&&u!=="twist"&&!l.meant(m,g)||u==="row"&&String(getSelection())||e.click(g.dataset.key??"",u)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:m=>{k(vn(e.sort,m),s)},showEmpty(m,d){a.hidden=!m,s.hidden=r.hidden=!!m,k(m?os(m,d):f,a)},reveal(m){let d=s.offsetHeight,g=m*I;g<n.scrollTop?n.scrollTop=g:g+I+d>n.scrollTop+n.clientHeight&&(n.scrollTop=g+I+d-n.clientHeight)},paint(m,d){let{lines:g}=m,u=`${g.length*I}px`;r.style.height!==u&&(r.style.height=u);let h=Math.min(m.open.length?Zo:Pe,Math.max(1,g.length));h!==i&&n.style.setProperty("--nb-rows",String(i=h)),g.length!==c&&n.setAttribute("aria-rowcount",String((c=g.length)+1));let b=Math.max(0,Math.floor(n.scrollTop/I)-yn),y=Math.min(g.length,Math.ceil((n.scrollTop+n.clientHeight)/I)+yn),T=ue(d),A=g.slice(b,y);k(A.map((C,R)=>$n(C,`${t}-${R}`,b+R,{seen:m,state:d,now:T})),r),l.look();let M=A.findIndex(C=>C.node.key===m.active);M>=0?n.setAttribute("aria-activedescendant",`${t}-${M}`):n.removeAttribute("aria-activedescendant")}}}function ns(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var et=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),es)))}}};function vn(e,t){return p`<div class="nbagent-line" role="row">
    ${hn.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":f;return p`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${rn(n)?p`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||p`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function os([e,t],n){let o=t==="clear"?p`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?p`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:f;return p`<p>${e}</p>
    ${o}`}var ss=new Set(["tokens","cost","time","created"]),rs={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},as=`%%agent_bg
What is the capital of France?`;function xn(e,t){let{state:n,command:o}=t,s={...Qe},r=new Map,a={sort:null,lines:[],active:null,open:[]},l=new Map,i=new Map,c=!1,m=null,d=0,g=document.createElement("section");g.className="nbagent-panel",g.setAttribute("aria-label",n.only===null?"nbagent runs":"nbagent batch"),g.dataset.lmSuppressShortcuts="true";let u=bn(n,s,{refilter:C,command:o}),h=wn({sort:R,key:Cn,click:tt,scroll:ne}),b=document.createElement("div");b.className="nbagent-below";let y=nn(n,{openRun:pe,command:o});g.append(u.el,h.el,y.el,b),e.classList.add("nbagent"),e.append(g);function T(){m??=De(n.rows,n.batches);let $=Ze(s);a.lines=un(m,$,a.sort,r,ue(n)),a.lines.some(v=>v.node.key===a.active)||(a.active=a.lines[0]?.node.key??null),u.sum($),h.showEmpty(A(),M)}function A(){return a.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",as]}function M(){Object.assign(s,Qe),C()}function C(){h.el.scrollTop=0,T(),u.draw(),ne()}function R($){let v=ss.has($);a.sort?.by!==$?a.sort={by:$,down:v}:a.sort=a.sort.down===v?{by:$,down:!v}:null,h.showSort(a.sort),T(),ne()}function E($){let v=Math.max(0,Math.min(a.lines.length-1,$)),w=a.lines[v];w&&(a.active=w.node.key,h.reveal(v),te())}function Fe($,v=!$.unfolded){$.kids&&(r.set($.key,v),T(),te())}function pe($){let[v]=a.open;a.open.includes($)?a.open=a.open.filter(w=>w!==$):a.open=c&&v!==void 0?[v,$]:[$],c=!1;for(let[w,P]of l)a.open.includes(w)||(P.end(),l.delete(w));for(let w of a.open)l.has(w)||l.set(w,Xt(b,w,kn(w)));b.toggleAttribute("data-two",a.open.length>1),me(),y.draw(a.open),te()}function kn($){let v=t.openRun($);return i.set($,v),{state:n,command:o,run:v,redraw:me,close(){pe($),h.el.focus()},compare(){c=!c,me()},comparing:()=>c,span:()=>Math.max(1,...a.open.map(w=>i.get(w)?.details?.steps.span_ms??0))}}function me(){l.forEach($=>$.update())}function tt($,v){let w=a.lines.find(P=>P.node.key===$)?.node;w&&(a.active=$,v==="action"?nt(w):v==="approve"||v==="deny"?An(w,v):v==="twist"||!w.line?Fe(w):pe($),te())}function An($,v){let[,,w,P]=$.line?.row.asks??[];w===void 0||P===void 0||o(v,$.key,{step:w,tool_call_id:P})}function nt($){let{command:v}=q($,n);v&&o(v,Xe($))}function Cn($){let v=a.lines.findIndex(w=>w.node.key===a.active);Sn($.key,v,a.lines[v]?.node)&&$.preventDefault()}function Sn($,v,w){let ot={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Pe-1,PageUp:v+1-Pe,Home:0,End:a.lines.length-1}[$];if(ot!==void 0)E(ot);else if($==="ArrowRight"&&w?.kids)Fe(w,!0);else if($==="ArrowLeft"&&w?.unfolded)Fe(w,!1);else if(($==="Enter"||$===" ")&&w)tt(w.key,"row");else if($==="Delete"&&w&&He(q(w,n).command))nt(w);else if($==="Escape"&&a.open.length)pe(a.open.at(-1));else return!1;return!0}function te(){d=0,h.paint(a,n)}function ne(){d||=requestAnimationFrame(te)}let Rn=$=>s.text&&($.has("says")||$.has("error"))?!0:!!(a.sort&&rs[a.sort.by]?.some(v=>$.has(v)));return{update($){if($==="time"){a.lines.some(({node:v})=>!_(D(v).status))&&ne();return}$==="all"?m=null:$!=="cells"&&Je(m??[]),$==="all"||$!=="cells"&&Rn($)?T():$!=="cells"&&u.sum(Ze(s)),$==="all"&&u.choose(),$==="all"&&y.draw(a.open),$==="cells"&&y.draw(a.open),u.draw(),me(),ne()},end(){cancelAnimationFrame(d),l.forEach($=>$.end())}}}var is=12e3,ls=3e4,ue=e=>e.stoppedMs??Date.now()+e.skewMs;function Tn(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,items:new Map,fields:[],counts:[],ended:0,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new z(()=>{S(e,"resend_table","")}),r=cs(t),a=b=>{b==="all"&&r(),n.forEach(y=>y.update(b))},l=[],i=b=>{if(!b?.columns)return;l=b.columns;let y=JSON.parse(b.lines).map(E=>_n(l,E));t.rows=new Map(y.map(E=>[E.row.id,E])),t.batches=new Map(Object.entries(b.batches));let{total:T,loaded:A,trouble:M,only:C}=b;Object.assign(t,{total:T,loaded:A,trouble:M,only:C,gone:!1,stoppedMs:null}),t.skewMs=b.now_ms-Date.now();let{listed:R}=b;R&&(t.items=new Map(JSON.parse(R.items).map(E=>[E[0],E])),Object.assign(t,{fields:R.fields,counts:R.counts,ended:R.ended})),s.restart(b.seq),a("all")},c=b=>{if("run"in b)o.get(b.run)?.hear(b);else if("said"in b)m(b.said);else if(s.accept(b?.seq)){let y=us(t,l,b);y===null?s.resync():a(y)}},m=b=>{t.asked.delete(b.run_id);let{error:y}=b;y&&(t.said=[...t.said.slice(-2),y],setTimeout(()=>{t.said=t.said.filter(T=>T!==y),a("cells")},is)),a("cells")},d=async(b,y,T={})=>{if(t.asked.has(y)||t.gone)return;let A={name:b,how:"heard"};t.asked.set(y,A),a("cells");let M=await S(e,b,y,T),C=(R,E)=>{setTimeout(()=>{t.asked.get(y)===A&&(R(),a("cells"))},E)};M==="none"&&g(),M==="comm"&&C(()=>A.how="waiting",3e3),C(()=>t.asked.delete(y),ls),a("cells")},g=()=>{t.gone||(t.stoppedMs=ue(t),t.gone=!0,a("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",c),yt(e,g);let u=setInterval(()=>document.hidden||t.gone||a("time"),1e3),h=b=>{let y=o.get(b)??Vt(e);return o.set(b,y),t.gone||S(e,"open",b),y};return{end:()=>clearInterval(u),render(b){let y=xn(b,{state:t,openRun:h,command:(A,M,C)=>{d(A,M,C)}}),T=we(e.get("key"));return n.add(y),y.update("all"),()=>{n.delete(y),y.end(),T()}}}}function cs(e){let t=new Map,n=new Set,o=!0;return()=>{let s=new Map;for(let{row:r}of e.rows.values()){let a=o||n.has(r.id)?t.get(r.id):"pending",l=a==="pending"&&r.status!=="paused"&&!t.has(r.id)?null:ie(a,r.status);n.add(r.id),(l==="waits"||l&&!r.parent&&!r.batch)&&le(r.id,l,r),_(r.status)||s.set(r.id,r.status)}for(let[r,{finished:a}]of e.batches){let l=a?"completed":"running",i=ie(t.get(r),l);i&&le(r,i,{title:`batch ${ds(e,r)}`,status:l}),a||s.set(r,l)}t=s,o=!1}}function ds(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function _n(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function us(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:r}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),r!==void 0&&(e.trouble=r);let l=Object.entries(n.batches??{}).some(([c,m])=>m.finished&&!e.batches.get(c)?.finished)||!!n.new||r!==void 0||s!==void 0;for(let[c,m]of Object.entries(n.batches??{})){let d=e.batches.get(c);d?Object.assign(d,m):(e.batches.set(c,m),l=!0),m.finished&&e.asked.delete(c)}for(let c of n.new??[])e.rows.set(String(c[0]),_n(t,c));for(let c of n.gone??[])l=e.rows.delete(c)||l;for(let c of n.items??[])e.items.set(c[0],c);n.items&&(l=!0);for(let c of["fields","counts","ended"])n[c]!==void 0&&Object.assign(e,{[c]:n[c]});let i=new Set;for(let c of n.cells??[])if(!ps(e,t,c,i))return null;return l||i.has("status")||i.has("created_ms")?"all":i}function ps(e,t,n,o){let[s,...r]=n,a=e.rows.get(s);if(!a)return!1;a.hay=null;let l=a.row;for(let i=0;i<r.length;i+=2){let c=t[Number(r[i])];c!==void 0&&(l[c]=r[i+1]??null,o.add(c),(c==="status"||c==="asks")&&e.asked.delete(s))}return!0}var ms=()=>{let e=()=>()=>{};return{initialize({model:t}){let n=t;Wt(n);let o=()=>{};if(t.get("shows")==="table"){let r=Tn(n);[e,o]=[r.render,r.end]}else{let r=Ne();r.initialize(n),e=a=>r.render(n,a)}let s=Bt(t.get("host"),e);return()=>{s(),o()}},async render({model:t,el:n}){let o=t.get("host"),s=await Pt(t.widget_manager);if(!s||!Ft(s,o))return e(n);S(t,"hosted",o)}}},Ra=ms;export{Ra as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
